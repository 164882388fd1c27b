"""`classbox`: the box and its tools. Each command lives in `edge/commands/` and is loaded when called."""

from __future__ import annotations

from ui.terminal import LazyGroup

COMMANDS = {
    "print": "edge.commands.print:command",
    "grade": "edge.commands.grade:command",
    "load": "edge.commands.load:command",
    "learn": "edge.commands.learn:command",
    "import-omrchecker": "edge.commands.import_omrchecker:command",
    "run": "edge.commands.run:command",
    "status": "edge.commands.status:command",
    "export": "edge.commands.export:command",
    "camera": "edge.commands.camera:command",
    "address": "edge.commands.address:command",
    "pin": "edge.commands.pin:command",
    "teacher": "edge.commands.teacher:command",
    "enrol": "edge.commands.enrol:command",
    "backup": "edge.commands.backup:command",
    "restore": "edge.commands.restore:command",
    "stick": "edge.commands.stick:command",
}

main = LazyGroup(
    "classbox",
    commands=COMMANDS,
    about="Print worksheets, grade them from paper, run the classroom box.",
)
