"""mkdocs hook: a page may link to a file of the repository (`../bench/script.py`), as it does where the repository is
browsed. In the site, which has the pages only, the file's path stands there instead. A file that is not there fails."""

import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    def named(link: re.Match[str]) -> str:
        text, path = link[1], link[2]
        if not (REPOSITORY / path).exists():
            raise FileNotFoundError(f"{page.file.src_path} links to {path}, which is not in the repository")
        return f"`{path}`" if text.strip("`") in path else f"{text} (`{path}`)"

    return _LINK.sub(named, markdown)
