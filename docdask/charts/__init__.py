"""One function a chart: ``(frame, ax) -> ax``."""
