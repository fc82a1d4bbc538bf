"""How fast this machine is: measured once, kept for a week, never taken from a plan that read nothing itself."""

from __future__ import annotations

from docdask.engine import calibration
from docdask.service.dummy import NothingEngine
from docdask.settings import Settings


class Told(NothingEngine):
    """An engine that tells these speeds, and how often it was asked."""

    def __init__(self, page_s: float) -> None:
        super().__init__()
        self.page_s, self.asked = page_s, 0

    def calibrate(self) -> dict[str, float]:
        self.asked += 1
        return {"ocr_page_s": self.page_s, "text_page_s": self.page_s / 10}


def test_what_was_measured_is_kept(tmp_path):
    settings, engine = Settings(state=str(tmp_path)), Told(2.0)
    first, now = calibration.speed(engine, settings)
    second, before = calibration.speed(engine, settings)
    assert (first, engine.asked) == (second, 1)
    assert (now, before) == ("calibrated now on this machine", "calibrated before on this machine")
    assert (second.ocr_page_s, second.text_page_s) == (2.0, 0.2)


def test_an_engine_whose_routes_all_lead_away_tells_nothing_for_one_with_others(tmp_path):
    settings = Settings(state=str(tmp_path))
    calibration.speed(Told(0.0), settings)
    assert calibration.speed(Told(2.0), settings)[0].ocr_page_s == 2.0
    calibration.speed(Told(0.0), settings)
    assert calibration.speed(Told(3.0), settings)[0].ocr_page_s == 2.0


def test_a_file_that_is_damaged_is_measured_anew(tmp_path):
    settings = Settings(state=str(tmp_path))
    calibration.speed(Told(2.0), settings)
    [kept] = tmp_path.glob("calibration-*.json")
    kept.write_text("{")
    assert calibration.speed(Told(3.0), settings)[0].ocr_page_s == 3.0
