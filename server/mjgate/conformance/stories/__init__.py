"""Stories: rules that several requests in a row have to keep.

Pictures cost money, so most stories are about one picture, and each says how many submits more it
needs. They are told in the order of their worth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mjgate.conformance.allowance import Withheld
from mjgate.conformance.session import Ended, unjudged
from mjgate.conformance.stories.around import callbacks, key, key_race, keys_apart, tenants
from mjgate.conformance.stories.change import list_of_two, long_prompt, one_change, other_changes
from mjgate.conformance.stories.follow import picture
from mjgate.conformance.stories.lax import lax, lax_changes
from mjgate.conformance.stories.refusals import bad_tokens, errors
from mjgate.conformance.stories.stage import Stage
from mjgate.conformance.stories.statements import bill, pages

__all__ = ["STORIES", "Stage", "Story", "tell", "tell_all", "wants"]


@dataclass(frozen=True, slots=True)
class Story:
    """`submits` are those it needs beyond the picture that the stories share.

    A server that keeps the rule uses up less: `key` asks for nothing new.
    """

    name: str
    tells: Callable[[Stage], None]
    rules: tuple[str, ...]
    """The rules that it applies beside those of each exchange."""
    submits: int = 0
    about_picture: bool = True

    @property
    def row(self) -> str:
        """For a table of all stories: what it tells, and the submits that it needs."""
        says = (self.tells.__doc__ or "").partition("\n")[0]
        return f"| `{self.name}` | {says} | {self.submits or ''} |"


STORIES: Sequence[Story] = (
    Story("errors", errors, (), about_picture=False),
    Story("bad_tokens", bad_tokens, ("bad_token_refused",), about_picture=False),
    Story(
        "picture",
        picture,
        ("every_task_ends", "state_kept", "text_kept", "etag_holds", "changes_only_finished"),
    ),
    Story("callbacks", callbacks, ("callback_arrives", "callback_is_fetch")),
    Story("bill", bill, ("billed_once",)),
    Story("one_change", one_change, ("change_names_parent",), 1),
    Story("tenants", tenants, ("tenants_apart",)),
    Story("key", key, ("key_holds",), 1),
    Story("long_prompt", long_prompt, ("text_kept",), 1),
    Story("list_of_two", list_of_two, ("list_in_order",), 1),
    Story("pages", pages, ("pages_whole",), about_picture=False),
    Story("key_race", key_race, ("key_holds",), 2, about_picture=False),
    Story("keys_apart", keys_apart, ("tenants_apart",), 1),
    Story("other_changes", other_changes, ("change_names_parent",), 2),
    Story("lax", lax, ("bad_refused",), about_picture=False),
    Story("lax_changes", lax_changes, ("bad_refused",), 1),
)


def tell_all(stage: Stage) -> None:
    """Every story that can be told; notes say which cannot, and what they need."""
    profile, untold = stage.session.profile, []
    for story in STORIES:
        if story.rules and set(story.rules) <= profile.unasked:
            continue
        needs = _needs(stage, story)
        if needs > stage.session.allowance.left:
            untold.append((story.name, needs))
        elif why := _untellable(stage, story):
            stage.session.note(why)
        else:
            tell(stage, story)
    if untold:
        names = ", ".join(f"{name} ({needs})" for name, needs in untold)
        stage.session.note(f"Not told, for want of submits (--allow-submits): {names}")


def _needs(stage: Stage, story: Story) -> int:
    """How many submits it needs now."""
    own = 0 if story.name == "list_of_two" and stage.second else story.submits
    return own + (story.about_picture and not stage.tried)


def tell(stage: Stage, story: Story) -> None:
    with stage.session.story(story.name):
        try:
            story.tells(stage)
        except (Withheld, Ended):
            raise
        except Exception as error:
            stage.session.broke(next(iter(story.rules), "answers"), unjudged(error))


def wants(stage: Stage, story: Story) -> str | None:
    """The option without which a story cannot be told; None where it can be."""
    needs = _needs(stage, story)
    if needs > stage.session.allowance.left:
        return f"--allow-submits {needs}"
    if _untellable(stage, story):
        return "--receiver" if story.name == "callbacks" else "--second-token"
    return None


def _untellable(stage: Stage, story: Story) -> str | None:
    if story.name in ("tenants", "keys_apart") and not stage.session.has_second:
        return "Whether tokens see each other's tasks was not asked: it needs --second-token."
    if story.name == "callbacks" and stage.receiver is None:
        return "Callbacks were not asked for: say with --receiver where the server can call."
    return None
