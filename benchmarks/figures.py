"""Draw the figures of the READMEs from the recorded runs, each in both languages.

    python benchmarks/figures.py

Written to docs/data_efficiency_en.png and docs/data_efficiency_pl.png.
"""

import io
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # before pyplot: the script draws into files, and needs no screen

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from tlcourse.classroom import Record, band, palette, recorded, style, t
from tlcourse.classroom.language import LANGUAGES, use_language
from tlcourse.classroom.plots import to_png
from tlcourse.runtime import replacing

DOCS = Path(__file__).resolve().parents[1] / "docs"
DPI = 150  # 1050 pixels wide: sharp where a page shows it 850 wide
METHODS = {  # as the record names them: what the figure calls them, and their colour
    "last blocks": (("pretrained, last blocks fine-tuned", "ostatnie bloki dostrojone"), "blue"),
    "all layers": (("pretrained, all layers fine-tuned", "wszystkie warstwy dostrojone"), "sky"),
    "linear probe": (("pretrained and frozen, linear probe", "sieć zamrożona, sonda liniowa"), "green"),
    "small network": (("small network, from scratch", "mała sieć, od zera"), "orange"),
    "from scratch": (("same large network, from scratch", "ta sama duża sieć, od zera"), "red"),
}
"""All but one method of benchmarks/data_efficiency.py: training for longer was recorded at one size only."""


def data_efficiency(record: Record) -> Figure:
    """Test accuracy against the number of labelled images, by method: mean and 95 % band over the seeds.

    Dashed: the methods that were not recorded at every number of images.
    """
    methods = record.results["methods"]
    sizes = sorted({size for run in methods.values() for size in run["sizes"]})
    fig, ax = plt.subplots(figsize=(7.0, 4.0))
    for name, (label, colour) in METHODS.items():
        run = methods[name]
        line = "-" if run["sizes"] == sizes else "--"
        band(ax, run["sizes"], run["accuracy"], label, colour, linestyle=line, marker="o", markersize=4)
    ax.axhline(1 / 6, color=palette("grey"), linestyle=":", label=t("chance"))
    ax.set(xscale="log", ylim=(0, 1), ylabel=t("test accuracy"))
    ax.set_xlabel(t("labelled images of circuit boards", "obrazy płytek z etykietami"))
    ax.set_xticks(sizes, sizes)
    ax.minorticks_off()
    fig.legend(loc="outside lower center", ncols=2)
    return fig


def save_figures(record: Record, folder: Path) -> list[Path]:
    """Draw the record in every language, into `folder`; returns the files. The language in use becomes English."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for lang in reversed(LANGUAGES):  # English last: the language that programs begin with
        use_language(lang)
        fig = data_efficiency(record)
        files.append(folder / f"{record.name}_{lang}.png")
        save_png(fig, files[-1])
        plt.close(fig)
    return files


def save_png(fig: Figure, file: Path) -> None:
    """Write a figure whole or not at all, with 128 colours: it looks the same and takes half the bytes."""
    image = Image.open(io.BytesIO(to_png(fig))).convert("RGB")
    with replacing(file) as unfinished:
        image.quantize(128, dither=Image.Dither.NONE).save(unfinished, format="png", optimize=True)


if __name__ == "__main__":
    style()
    mpl.rcParams["savefig.dpi"] = DPI
    for file in save_figures(recorded("data_efficiency"), DOCS):
        print(f"{file.relative_to(DOCS.parent).as_posix()}: {file.stat().st_size / 1000:.0f} KB")
