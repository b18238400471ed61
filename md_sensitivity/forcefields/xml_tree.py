"""XML as a tree of elements that know their line, without anything of XML that reaches beyond the text: no DTD, no entities.

The parser of the standard library's ElementTree keeps no lines, and messages are to name them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.lammps_words import finite_number
from md_sensitivity.registry import did_you_mean

DEEPEST = 16
"""Levels of nesting; force fields and serialized systems have no more than six."""
MOST_ELEMENTS = 3 * 10**6
"""A file of the largest size may hold many times as many, and they would not fit into memory."""


@dataclass(slots=True, eq=False)
class Element:
    """One element of a document.

    Attributes:
        where: file, line and tag, for messages; "" in documents that we write.
    """

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""
    line: int = 0
    source: str = ""

    @property
    def where(self) -> str:
        """File, line and tag."""
        return f"{self.source}: line {self.line}: <{shortened(self.tag)}>"

    def all(self, tag: str) -> Iterator[Element]:
        """Children of that name."""
        return (child for child in self.children if child.tag == tag)

    def said(self, name: str) -> str:
        """An attribute that must be there.

        Raises:
            InputError: it is not.
        """
        if name not in self.attributes:
            raise InputError(f"{self.where}: misses the attribute {name}")
        return self.attributes[name]

    def number(self, name: str) -> float:
        """An attribute as a finite number.

        Raises:
            InputError: it is missing, or none.
        """
        return finite_number(self.said(name).strip(), f"{self.where}: {name}")

    def whole(self, name: str, *, least: int = 0, most: int = 10**9) -> int:
        """An attribute as a whole number.

        Raises:
            InputError: it is missing, none, or out of range.
        """
        word = self.said(name).strip()
        digits = word.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 12):
            raise InputError(f"{self.where}: {name} is {quotation(word)}, not a whole number")
        if not least <= int(word) <= most:
            raise InputError(f"{self.where}: {name} is {int(word)}, and must be from {least} to {most}")
        return int(word)

    def require(self, attributes: Iterable[str], children: Iterable[str] = ()) -> None:
        """Refuses attributes and children that nobody knows, by name.

        Raises:
            InputError: with the first of them.
        """
        known = set(attributes)
        for name in self.attributes:
            if name not in known:
                raise InputError(f"{self.where}: the attribute {quotation(name)} is not known here{did_you_mean(name, known)}; remove it")
        tags = set(children)
        for child in self.children:
            if child.tag not in tags:
                raise InputError(f"{child.where}: has no place in <{self.tag}>{did_you_mean(child.tag, tags)}; remove it")


def parse_xml(text: str, source: str, *, keep_text: Iterable[str] = ()) -> Element:
    """The root of a document.

    Args:
        text: the document.
        source: name for messages.
        keep_text: tags whose text is kept.

    Raises:
        InputError: no XML, or XML with a document type or entities; with line and reason.
    """
    builder = _Builder(source, frozenset(keep_text))
    parser = expat.ParserCreate()
    builder.parser = parser
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise InputError(f"{source}: line {error.lineno}: not valid XML: {expat.ErrorString(error.code)}") from None
    except UnicodeEncodeError:
        raise InputError(f"{source}: not valid XML: half of a character") from None
    assert builder.root is not None     # expat refuses a document without a root
    return builder.root


def written(element: Element) -> str:
    """The document of an element, every text escaped."""
    parts: list[str] = []
    _write(element, parts)
    return "".join(parts)


def _write(element: Element, parts: list[str]) -> None:
    parts.append(f"<{element.tag}")
    parts += [f" {name}={quoteattr(value)}" for name, value in element.attributes.items()]
    parts.append(">")
    parts.append(escape(element.text))
    for child in element.children:
        _write(child, parts)
    parts.append(f"</{element.tag}>\n")


class _Builder:
    def __init__(self, source: str, keep_text: frozenset[str]) -> None:
        self.source, self.keep_text = source, keep_text
        self.parser: expat.XMLParserType
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        element = Element(tag, attributes, line=line, source=self.source)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        if len(self.open) >= DEEPEST:
            raise InputError(f"{self.source}: line {line}: nested deeper than any force field")
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise InputError(f"{self.source}: line {line}: more than {MOST_ELEMENTS} elements; no force field has as many")
        self.open.append(element)

    def end(self, tag: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        if self.open and self.open[-1].tag in self.keep_text:
            self.open[-1].text += text

    def refuse(self, *declaration: object) -> None:
        line = self.parser.CurrentLineNumber
        raise InputError(f"{self.source}: line {line}: a document type or entity; force fields have none, remove it")
