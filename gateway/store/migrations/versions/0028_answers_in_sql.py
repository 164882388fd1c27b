"""The answers of pages one by one, for people with SQL: a view over the packed column, on a server alone.

Revision ID: 0028
Revises: 0027
"""

from __future__ import annotations

from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: None = None
depends_on: None = None
rolling: bool = True

_UNPACKED = r"""
CREATE FUNCTION unpacked_items(packed bytea)
RETURNS TABLE (place integer, places integer, verdict smallint, score_hundredths bigint, reading text,
               confidence smallint, doubt smallint)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
-- MessagePack: an array of arrays of five: whole numbers from 0 on, nil, text. See gateway/store/pages.py.
DECLARE
    at integer := 0;
    head integer;
    size integer;
    value bigint;
    raw bytea;
    zero integer;
BEGIN
    IF length(packed) = 0 THEN
        RETURN;
    END IF;
    head := get_byte(packed, 0);
    IF head = 220 THEN
        places := get_byte(packed, 1) * 256 + get_byte(packed, 2);
        at := 3;
    ELSE
        places := head & 15;
        at := 1;
    END IF;
    FOR n IN 1 .. places LOOP
        place := n;
        at := at + 1;  -- the head of an array of five
        FOR part IN 1 .. 5 LOOP
            head := get_byte(packed, at);
            at := at + 1;
            value := NULL;
            IF head < 128 THEN
                value := head;
            ELSIF head = 192 THEN
                NULL;
            ELSIF head BETWEEN 204 AND 207 THEN
                value := 0;
                FOR byte IN 1 .. (1 << (head - 204)) LOOP
                    value := value * 256 + get_byte(packed, at);
                    at := at + 1;
                END LOOP;
            ELSE
                IF head BETWEEN 160 AND 191 THEN
                    size := head & 31;
                ELSE
                    size := 0;
                    FOR byte IN 1 .. (1 << (head - 217)) LOOP
                        size := size * 256 + get_byte(packed, at);
                        at := at + 1;
                    END LOOP;
                END IF;
                raw := substr(packed, at + 1, size);
                at := at + size;
            END IF;
            CASE part
                WHEN 1 THEN verdict := value;
                WHEN 2 THEN score_hundredths := value;
                WHEN 3 THEN
                    IF head = 192 THEN
                        reading := NULL;
                    ELSE
                        LOOP  -- the server's text knows no zero
                            zero := position('\x00'::bytea IN raw);
                            EXIT WHEN zero = 0;
                            raw := set_byte(raw, zero - 1, 32);
                        END LOOP;
                        reading := convert_from(raw, 'UTF8');
                    END IF;
                WHEN 4 THEN confidence := value;
                WHEN 5 THEN doubt := value;
            END CASE;
        END LOOP;
        RETURN NEXT;
    END LOOP;
END $$
"""
_LAYOUTS = r"""
CREATE FUNCTION layout_pages(body bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN convert_from(body, 'UTF8')::jsonb -> 'pages';
EXCEPTION WHEN data_exception THEN  -- one that cannot be read names nothing
    RETURN NULL;
END $$
"""
_VIEW = r"""
CREATE VIEW page_items AS
WITH layouts AS (
    SELECT DISTINCT ON (school_id, document_id) school_id, document_id, layout_pages(body) AS pages
    FROM documents WHERE kind = 'layout'
    ORDER BY school_id, document_id, received_ms DESC, digest DESC
), fields AS (
    SELECT l.school_id, l.document_id AS sheet, (one ->> 'page')::integer AS page, one -> 'fields' AS fields
    FROM layouts l CROSS JOIN LATERAL jsonb_array_elements(l.pages) AS one
)
SELECT
    p.school_id, p.month, p.box_id, encode(p.epoch, 'hex') AS epoch, p.seq, p.received_ms,
    (ARRAY['current', 'duplicate', 'superseded', 'second', 'unbooked', 'erased'])[p.state + 1] AS state,
    p.assignment, p.class_name, encode(p.pupil, 'hex') AS pupil, p.seat, p.sheet, p.page, p.attempt,
    i.place, named.field ->> 'item' AS item, (named.field ->> 'blank')::integer AS blank,
    (ARRAY['read', 'correct', 'wrong', 'blank', 'review'])[i.verdict + 1] AS verdict,
    i.reading, i.score_hundredths, i.confidence,
    (ARRAY[NULL, 'unsure', 'ink-beside', 'two-marks', 'faint-mark', 'cancelled', 'not-handwriting', 'not-a-number',
           'for-the-teacher', 'mixed-inks'])[i.doubt + 1] AS doubt
FROM page_records p
LEFT JOIN fields f ON f.school_id = p.school_id AND f.sheet = p.sheet AND f.page = p.page
CROSS JOIN LATERAL unpacked_items(p.items) AS i
CROSS JOIN LATERAL (
    SELECT CASE WHEN jsonb_array_length(f.fields) = i.places THEN f.fields -> (i.place - 1) END AS field
) AS named
WHERE p.state <> 5 AND NOT EXISTS (
    SELECT FROM archived_months a WHERE a.school_id = p.school_id AND a.month = p.month AND a.removed_ms IS NULL
)
"""


def upgrade() -> None:
    """Bring the schema to this revision."""
    if op.get_bind().dialect.name == "postgresql":
        for statement in (_UNPACKED, _LAYOUTS, _VIEW):
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Bring it back to the one before."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP VIEW page_items")
        op.execute("DROP FUNCTION layout_pages(bytea)")
        op.execute("DROP FUNCTION unpacked_items(bytea)")
