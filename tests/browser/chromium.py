"""The browser that the tests drive."""

import shutil

# The same engine without the windows round it: a page costs half as much.
CHROMIUM = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
OPTIONS = ("--no-sandbox", "--disable-background-networking")
