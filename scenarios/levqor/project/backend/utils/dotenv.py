"""Settings from a `.env` file for development; the real environment wins."""

import os


def parse_line(line: str) -> tuple[str, str] | None:
    line = line.strip().removeprefix("export ").strip()
    if not line or line.startswith("#") or "=" not in line:
        return None
    name, value = (part.strip() for part in line.split("=", 1))
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name, value


def load_dotenv(path: str) -> None:
    try:
        with open(path, encoding="utf-8") as file:
            pairs = [parse_line(line) for line in file]
    except FileNotFoundError:
        return
    for pair in pairs:
        if pair:
            os.environ.setdefault(*pair)
