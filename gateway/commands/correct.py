"""`classgate correct`: a person at the school says what one answer is, or takes that back."""

from __future__ import annotations

import re
from pathlib import Path

import click
import msgspec

from gateway.access.audit import written_thing
from gateway.access.deeds import Deed, Thing
from gateway.clock import unix_ms
from gateway.commands.options import config_option, with_store
from gateway.correcting import TAKEN_BACK, Done, Field, Sayer, correct
from gateway.store.audit_lines import write_line
from gateway.store.store import Store
from homework.corrections import LONGEST_COMMENT, Word
from homework.errors import UsageError
from homework.results import ItemResult, Stamp, points
from homework.wording import VERDICT_SIGNS
from sync.clock import SystemClock
from ui.language import terminal_language, translator


@click.command(name="correct")
@click.argument("school")
@click.argument("item")
@click.option("--assignment", required=True, help="Of which worksheet: its id.")
@click.option("--class", "class_name", required=True, help="The pupil's class.")
@click.option("--seat", required=True, type=click.IntRange(1, 999), help="The pupil's seat number.")
@click.option("--blank", default=1, show_default=True, type=click.IntRange(1, 255), help="Which blank of the item.")
@click.option("--attempt", default=1, show_default=True, type=click.IntRange(1, 255), help="2 and on: handed in again.")
@click.option("--right", "verdict", flag_value="right", help="The answer is right.")
@click.option("--wrong", "verdict", flag_value="wrong", help="The answer is wrong.")
@click.option("--text", help="This is what stands on the paper; the answer key judges it.")
@click.option("--points", "given", help="So many points: 2 or 1.5.")
@click.option("--comment", help="A comment for the pupil.")
@click.option("--stamp", type=click.Choice([stamp.value for stamp in Stamp]), help="A stamp beside the answer.")
@click.option("--undo", is_flag=True, help="Take back what was said: what the box had read counts again.")
@click.option("--by", "who", default="", help="Who says it, for the list of corrections. Travels sealed.")
@config_option
def command(
    *,
    school: str,
    item: str,
    assignment: str,
    class_name: str,
    seat: int,
    blank: int,
    attempt: int,
    verdict: str | None,
    text: str | None,
    given: str | None,
    comment: str | None,
    stamp: str | None,
    undo: bool,
    who: str,
    config_path: Path | None,
) -> None:
    """Correct one answer of a sheet that counts. It counts in the reports at once, and the box hears of it.

    Example: classgate correct no-1 3 --assignment g3-mul-2x1 --class 3-1 --seat 12 --right
    """
    word = _word(verdict, text, given, comment, stamp, undo=undo)
    field = Field(assignment, class_name, seat, (item, blank), attempt)

    async def work(store: Store) -> Done:
        async with store.writing() as connection:
            done = await correct(
                connection, store.vault, school, field, word, who=Sayer(who, 0), clock=SystemClock().read()
            )
            if done.record is not None:
                thing = written_thing(Thing(school, class_name, assignment, pupil=done.pupil), seat=seat, item=item)
                at_ms = unix_ms()
                await write_line(connection, school, deed=Deed.CORRECT, at_ms=at_ms, thing=thing, detail="answer")
                await store.tell_others(connection, [(school, assignment, class_name)])
            return done

    _ = translator(terminal_language()).gettext
    done = with_store(config_path, work)
    if done.record is None:
        print(_("That is said already; nothing was changed."))
    else:
        print(
            _("Item {item}: {before} → {after}").format(item=item, before=_line(done.before), after=_line(done.after))
        )


def _word(
    verdict: str | None, text: str | None, given: str | None, comment: str | None, stamp: str | None, *, undo: bool
) -> Word:
    judgements = [value for value in (verdict, text, given) if value is not None]
    if (undo and (judgements or comment is not None or stamp)) or len(judgements) > 1:
        raise UsageError(
            "These do not go together.", remedy="Use one of --right, --wrong, --text, --points and --undo."
        )
    if undo:
        return TAKEN_BACK
    if not judgements and comment is None and stamp is None:
        raise UsageError(
            "It is not said what the answer is.", remedy="Use --right, --wrong, --text, --points, --comment or --stamp."
        )
    word = Word() if comment is None else Word(comment=comment[:LONGEST_COMMENT])
    if stamp is not None:
        word = msgspec.structs.replace(word, stamp=Stamp(stamp))
    if verdict is not None:
        return msgspec.structs.replace(word, right=verdict == "right")
    if text is not None:
        return msgspec.structs.replace(word, text=text)
    return word if given is None else msgspec.structs.replace(word, score_hundredths=_hundredths(given))


def _hundredths(given: str) -> int:
    found = re.fullmatch(r"(\d{1,4})(?:\.(\d{1,2}))?", given)
    if found is None:
        raise UsageError("“{given}” are no points.", remedy="Write them as 2 or 1.5.", given=given[:20])
    return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


def _line(item: ItemResult) -> str:
    sign, worth = VERDICT_SIGNS[item.verdict.kind], points(item.verdict.score_hundredths)
    return sign if worth is None else f"{sign} ({worth})"
