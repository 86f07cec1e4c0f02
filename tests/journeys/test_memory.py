"""Memory over many tasks: the short form of the soak, which shows that it measures."""

from tests.soak.memory import Report, Sample, memory


def sample(tasks: int, rss: int, own: int = 100) -> Sample:
    return Sample(tasks, rss, 100, own, 30, 900.0, 0)


async def test_every_task_ends_and_memory_is_read_after_each_step() -> None:
    report = await memory(120, warm=40, step=40, settings={})

    assert (120, [40, 80, 120]) == (report.ended, [each.tasks for each in report.samples])
    assert all(0 < each.own <= each.pss <= each.rss for each in report.samples)
    assert all(each.files > 0 and each.rate > 0 for each in report.samples)
    assert "since 40: " in report.show()


def test_a_tenth_more_since_the_warm_up_is_flat_and_more_is_not() -> None:
    warm = [sample(10, 50), sample(20, 100)]
    assert Report([*warm, sample(30, 110)], 20, 30).flat
    assert not Report([*warm, sample(30, 111)], 20, 30).flat
    assert not Report([*warm, sample(30, 100, 111)], 20, 30).flat
    assert "WRONG: more than 10%" in Report([*warm, sample(30, 120)], 20, 30).show()
