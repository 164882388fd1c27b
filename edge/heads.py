"""The newest word on each capture, as a narrow table of its own: what pages ask for is found without a term's bodies.

`page` holds every revision and only grows. `head` is an index of it: a trigger moves it in the same transaction, so
that it cannot differ, and it could be made anew from `page` at any time. The view `newest` reads through it.
"""

from __future__ import annotations

from typing import Final

HEADS: Final = """
    ALTER TABLE page ADD COLUMN assignment TEXT;
    CREATE TABLE head (
        capture INTEGER PRIMARY KEY REFERENCES capture (id), revision INTEGER NOT NULL, status TEXT NOT NULL,
        standing TEXT NOT NULL, linked INTEGER, sheet TEXT, page INTEGER, pupil TEXT, pending INTEGER NOT NULL,
        in_doubt INTEGER NOT NULL, assignment TEXT
    ) STRICT;
    INSERT INTO head SELECT capture, revision, status, standing, linked, sheet, page, pupil, pending, in_doubt,
        assignment FROM newest;
    DROP VIEW newest;
    DROP INDEX page_in_doubt;
    DROP INDEX page_by_pupil;
    CREATE INDEX head_by_standing ON head (standing, pending, status);
    CREATE INDEX head_by_status ON head (status);
    CREATE INDEX head_by_sheet ON head (sheet, page, standing);
    CREATE INDEX head_in_doubt ON head (assignment) WHERE in_doubt = 1;
    CREATE TRIGGER head_moves AFTER INSERT ON page BEGIN
        INSERT INTO head (capture, revision, status, standing, linked, sheet, page, pupil, pending, in_doubt,
            assignment)
        VALUES (new.capture, new.revision, new.status, new.standing, new.linked, new.sheet, new.page, new.pupil,
            new.pending, new.in_doubt, new.assignment)
        ON CONFLICT (capture) DO UPDATE SET revision = excluded.revision, status = excluded.status,
            standing = excluded.standing, linked = excluded.linked, sheet = excluded.sheet, page = excluded.page,
            pupil = excluded.pupil, pending = excluded.pending, in_doubt = excluded.in_doubt,
            assignment = excluded.assignment;
    END;
    CREATE VIEW newest AS
        SELECT head.*, page.ink, page.body
        FROM head JOIN page ON page.capture = head.capture AND page.revision = head.revision;
"""
"""`assignment` is the record's own; NULL where it had no key to be judged by, and in rows older than the column."""
