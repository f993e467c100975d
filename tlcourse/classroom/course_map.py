"""The map of the course: its parts and lessons, as a figure whose finished lessons are links."""

import html

from .language import current_language, t, text
from .plots import palette
from .rendering import FONT, LINE, MUTED, TEXT, show_html
from .run import ROOT

PARTS = [
    (("Reuse a network", "Wykorzystaj gotową sieć"), "blue", range(1, 6)),
    (("Cross a domain gap", "Przekrocz lukę między domenami"), "orange", range(6, 8)),
    (("Learn from a few examples", "Ucz się na kilku przykładach"), "green", range(8, 10)),
    (("Pass on behaviour", "Przekaż zachowanie"), "purple", range(10, 13)),
    (("Grow and remember", "Rośnij i pamiętaj"), "sky", range(13, 16)),
    (("Put it to work", "Zastosuj"), "red", range(16, 18)),
]

LESSONS = {
    1: ("feature_extraction", ("Feature extraction", "Ekstrakcja cech")),
    2: ("fine_tuning", ("Fine-tuning", "Dostrajanie")),
    3: ("progressive_fine_tuning", ("Progressive fine-tuning", "Dostrajanie etapami")),
    4: ("what_transfers", ("What transfers", "Co się przenosi")),
    5: ("language", ("Language models", "Modele językowe")),
    6: ("domain_adaptation", ("Domain adaptation", "Adaptacja domeny")),
    7: ("sim_to_real", ("From simulation to reality", "Z symulacji do rzeczywistości")),
    8: ("prototypical_networks", ("Prototypical networks", "Sieci prototypowe")),
    9: ("maml", ("MAML", "MAML")),
    10: ("policy_distillation", ("Policy distillation", "Destylacja polityki")),
    11: ("actor_mimic", ("Actor-Mimic", "Actor-Mimic")),
    12: ("darla", ("beta-VAE and DARLA", "beta-VAE i DARLA")),
    13: ("growing_networks", ("Growing networks", "Sieci, które rosną")),
    14: ("continual_learning", ("Continual learning", "Uczenie ciągłe")),
    15: ("multi_task_learning", ("Multi-task learning", "Uczenie wielozadaniowe")),
    16: ("words_to_actions", ("Words to actions", "Od słów do działań")),
    17: ("capstone", ("One robot, four problems", "Jeden robot, cztery zadania")),
}


def course_map() -> None:
    """Display the parts of the course as rows of lessons; finished ones are links, planned ones are pale."""
    rows, plain = [], []
    for (name, colour, numbers), roman in zip(PARTS, ("I", "II", "III", "IV", "V", "VI"), strict=True):
        cards = "".join(_card(number, palette(colour)) for number in numbers)
        rows.append(
            f'<div style="display: flex; flex-wrap: wrap; align-items: center; margin: 4px 0">'
            f'<div style="width: 15em; color: {TEXT}"><b>{roman}</b>&ensp;{html.escape(text(name))}</div>{cards}</div>'
        )
        plain.append(f"{roman}. {text(name)}: " + ", ".join(text(LESSONS[number][1]) for number in numbers))
    legend = t("Pale: planned, not finished yet.", "Blade: w planach, jeszcze niegotowe.")
    rows.append(f'<div style="color: {MUTED}; margin-top: 6px">{legend}</div>')
    show_html(f'<div style="{FONT}">{"".join(rows)}</div>', "\n".join([*plain, legend]))


def _card(number: int, colour: str) -> str:
    slug, title = LESSONS[number]
    slug = f"{number:02}_{slug}"
    finished = (ROOT / "lessons" / f"{slug}.py").exists()
    label = f"<b>{number:02}</b> {html.escape(text(title))}"
    if finished:
        label = f'<a href="{slug}.ipynb" hreflang="{current_language()}" style="color: {TEXT}">{label}</a>'
    edge = colour if finished else LINE
    return (
        f'<div style="border: 1px solid {LINE}; border-left: 5px solid {edge}; border-radius: 4px; padding: 4px 10px; '
        f'margin: 3px; color: {TEXT if finished else MUTED}">{label}</div>'
    )
