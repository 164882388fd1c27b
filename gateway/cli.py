"""`classgate`: the gateway and its tools. Each command lives in `gateway/commands/` and is loaded when called."""

from __future__ import annotations

from ui.terminal import LazyGroup

COMMANDS = {
    "run": "gateway.commands.run:command",
    "school": "gateway.commands.school:command",
    "user": "gateway.commands.user:command",
    "import-roster": "gateway.commands.import_roster:command",
    "load": "gateway.commands.load:command",
    "setting": "gateway.commands.setting:command",
    "report": "gateway.commands.report:command",
    "db": "gateway.commands.db:command",
    "crop": "gateway.commands.crop:command",
    "correct": "gateway.commands.correct:command",
    "corrections": "gateway.commands.corrections:command",
    "held": "gateway.commands.held:command",
    "box": "gateway.commands.box:command",
    "broker": "gateway.commands.broker:command",
    "stick": "gateway.commands.stick:command",
}

main = LazyGroup(
    "classgate",
    commands=COMMANDS,
    about="Receive the sheets of a school's boxes and report on them.",
)
