"""Text from elsewhere, written so that an output shows the text and nothing in it acts.

Titles, names, statements, messages and evidence come from suites, results and plugins, which may be a
stranger's. There is one function for each language of an output. JSON and HTML have theirs in the `json`
module and in jinja2.
"""

from __future__ import annotations

import re

UNSEEN = "\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
"""Controls of terminals, marks that reorder or hide text, and halves of characters."""

NOT_ON_A_LINE = re.compile(f"[\x00-\x1f{UNSEEN}]")

NOT_IN_A_PARAGRAPH = re.compile(f"[\x00-\x08\x0b-\x1f{UNSEEN}]")

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, escaped or not (section 2.2)."""

WORKFLOW_COMMAND = re.compile(r"(?<=:):(?=[A-Za-z])|(?<=#)#(?=\w*\[)")
"""What begins a command to a CI server in the log of a step: `::error::`, `##[error]`, `##vso[`."""

MARKDOWN = re.compile(r"[\\`*<>&\[\]|~$]|(?<!\w)_|_(?!\w)")


def on_one_line(text: object) -> str:
    """For terminals and logs: one line, in which control characters are written as escapes."""
    seen = NOT_ON_A_LINE.sub(_escaped, str(text))
    return WORKFLOW_COMMAND.sub(_spelled, seen)


def in_paragraphs(text: str) -> str:
    """For HTML, before its own escaping: all characters but line breaks and tabs are visible."""
    return NOT_IN_A_PARAGRAPH.sub(_escaped, text)


def in_markdown(text: str) -> str:
    """For Markdown: one line without markup, which also fits into a cell of a table."""
    line = on_one_line(" ".join(text.split()))
    return MARKDOWN.sub(
        lambda found: {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(found[0], f"\\{found[0]}"), line
    )


def in_xml(text: str) -> str:
    """For XML, before its own escaping: what XML cannot hold becomes U+FFFD."""
    return NOT_IN_XML.sub("\ufffd", text)


def in_json(document: str) -> str:
    """For a JSON document that is printed: invisible characters become JSON's own escapes."""
    seen = re.sub(f"[{UNSEEN}]", lambda found: f"\\u{ord(found[0]):04x}", document)
    return re.sub(r"(?<=#)#(?=\w*\[)", r"\\u0023", seen)


def in_figure(text: object) -> str:
    """For matplotlib: one line in which `$` is a dollar and begins no formula."""
    return on_one_line(text).replace("$", r"\$")


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _spelled(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"
