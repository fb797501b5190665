"""A short document: headings, paragraphs and tables, as Markdown or as one HTML file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{border:1px solid #8888;padding:.3rem .6rem;text-align:left}"
    "td+td{font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}"
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; ``level`` 1 is the title's."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Table:
    """A table; each row has as many cells as the head."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Table | str
"""A text is a paragraph."""


def as_markdown(blocks: Iterable[Block]) -> str:
    """Returns the document as Markdown whose tables are also legible as they are."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def as_html(blocks: Sequence[Block]) -> str:
    """Returns the document as an HTML file that needs no other."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    head = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    )
    return head + "\n" + "\n".join(_html(block) for block in blocks) + "\n</html>\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Table(head, rows):
            return "\n".join(_lines(head, rows))
        case _:
            return block


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for place, row in enumerate(cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {' | '.join(padded)} |"
        if not place:
            yield f"|{'|'.join('-' * (width + 2) for width in widths)}|"


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Table(head, rows):
            body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
            return (
                f"<table><thead><tr>{_cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"
            )
        case _:
            return f"<p>{escape(block)}</p>"


def _cells(tag: str, row: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
