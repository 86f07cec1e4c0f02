from mjgate.conformance.client.draw import NO_BODY, Drawing
from mjgate.conformance.contract_view import FETCH, IMAGINE, KEY, USAGE, Contract

TASK = "#/components/schemas/Task"


def test_what_is_drawn_is_what_the_contract_allows(contract: Contract, drawing: Drawing) -> None:
    for operation in contract.operations:
        for response in operation.responses.values():
            for value in drawing.answers(response.schema, 4) if response.schema else ():
                assert [] == contract.faults(str(response.schema), value)


def test_the_same_seed_draws_the_same_and_another_does_not(contract: Contract) -> None:
    drawn = [Drawing(contract, seed).answers(TASK, 8) for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_few_more_are_drawn_anew_and_then_they_come_again(
    contract: Contract, drawing: Drawing
) -> None:
    assert 3 == len(drawing.answers(TASK, 3))
    many = drawing.answers("#/components/schemas/TaskStatus", 501)
    assert 501 == len(many)
    assert set(contract.at("#/components/schemas/TaskStatus")["enum"]) == set(many)


def test_a_question_is_a_good_call(contract: Contract, drawing: Drawing) -> None:
    for path in (IMAGINE, FETCH, USAGE, KEY):
        operation = contract.operation(path)
        questions = drawing.questions(operation, 12)
        assert 12 == len(questions)
        for question in questions:
            assert (question.body is NO_BODY) is (operation.body is None)
            for parameter in operation.parameters:
                given = parameter.name in question.parameters
                assert given or not parameter.required
                if given:
                    value = question.parameters[parameter.name]
                    assert contract.accepts(parameter.schema, value)
                    assert parameter.place != "header" or value.isprintable()
        assert {each.name for each in operation.parameters} == set(questions[0].parameters)
