"""The map of the course shows every lesson once and links to those that exist."""

import re

from tlcourse.classroom.course_map import LESSONS, PARTS, course_map
from tlcourse.classroom.run import ROOT


def test_the_parts_hold_every_lesson_once():
    assert [number for _, _, numbers in PARTS for number in numbers] == [*LESSONS] == [*range(1, 18)]


def test_finished_lessons_are_links_and_planned_ones_are_not(shown):
    course_map()
    markup = shown[0].data["text/html"]
    finished = {file.stem for file in (ROOT / "lessons").glob("*.py")} - {"00_start"}
    assert set(re.findall(r'href="(\w+)\.ipynb"', markup)) == finished
    assert all(title[0] in markup for _, title in LESSONS.values())


def test_the_map_speaks_polish(shown, polish):
    course_map()
    assert "Dostrajanie etapami" in shown[0].data["text/html"]
    assert "Uczenie ciągłe" in shown[0].data["text/plain"]
