"""Reading the pages of reports."""

import html.parser


class Outline(html.parser.HTMLParser):
    """The tags that are open at the end, the ids, what the page would load, and its text."""

    void = frozenset({"meta", "br", "img", "link", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        links = [given.get(name) for name in ("src", "href", "srcset", "data", "action")]
        self.loaded += [link for link in links if link and not link.startswith("#")]
        assert tag not in ("script", "link", "iframe")
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
