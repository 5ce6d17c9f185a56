"""Is it good enough: score one answer, aggregate many with intervals, the gate, the report."""
