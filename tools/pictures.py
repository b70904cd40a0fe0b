"""The pictures in README.md: pages of this repository as Chromium draws them, in few colours so that they stay small.

python tools/pictures.py [FOLDER]
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {
    "runs": ("runs?where=roc_auc > 0&sort=log_loss", "body", 632),
    "compare": (
        "compare?run=base_rate&run=gbm_schedule&run=gbm",
        "section:has(> h2:text-is('Curves'))",
        480,
    ),
    "lineage": ("features?name=weather_origin", "figure.broad", 520),
}
"""Of each picture: the page, its part, and the most pixels of height."""
WIDTH, COLOURS, MARGIN = 1200, 128, 14
WHOLE = """([top, most]) => {
  const kinds = "main :is(tr, figure svg, figcaption, p, label, summary, h2)";
  const parts = [...document.querySelectorAll(kinds)]
    .map((one) => one.getBoundingClientRect()).filter((one) => one.height && one.bottom + scrollY > top);
  let cut = most;
  for (let again = true; again;) {
    again = false;
    for (const one of parts) {
      if (one.top + scrollY < cut - 0.5 && one.bottom + scrollY > cut + 0.5) { cut = one.top + scrollY; again = true; }
    }
  }
  return cut > top + 40 ? cut : most;
}"""
"""Where a picture ends so that it cuts no row, drawing or sentence in two: above the first that would be."""


def main() -> None:
    """Draw them all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "flights"  # the project's name is its folder's
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        words = [sys.executable, "-P", "-m", "furrow", "ui", "--port", "0"]
        with (
            subprocess.Popen(words, cwd=clone, stdout=subprocess.PIPE, text=True) as server,
            sync_playwright() as playwright,
        ):
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
            for name, (path, part, height) in PICTURES.items():
                page.goto(f"{address}/{path}", timeout=120_000)
                box = page.locator(part).first.bounding_box()
                assert box is not None
                top = max(0, box["y"] - MARGIN)
                most = min(box["height"] + 2 * MARGIN, height)
                clip = {
                    "x": max(0, box["x"] - MARGIN),
                    "y": top,
                    "width": min(WIDTH, box["width"] + 2 * MARGIN),
                    "height": page.evaluate(WHOLE, [top, top + most]) - top,
                }
                size = save(page.screenshot(clip=clip, full_page=True), folder / f"{name}.png")
                print(f"{name}.png: {size / 1000:.0f} kB")
            browser.close()
            server.terminate()


def save(picture: bytes, path: Path) -> int:
    """A picture as a PNG of few colours; its bytes."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size


if __name__ == "__main__":
    main()
