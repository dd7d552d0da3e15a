"""How often each loop came to each result, over all processes."""

from django.db import models


class LoopCount(models.Model):
    """One row is one result of one loop: how often so far, and when last.

    Counted in memory and added once per round, so a busy loop writes no more than a quiet one.
    """

    loop = models.CharField(max_length=40)
    result = models.CharField(max_length=100)
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["loop", "result"], name="loop_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.loop} {self.result}: {self.count}"
