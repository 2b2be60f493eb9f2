"""Ctrl-C and a polite kill, at any moment: no traceback, the exit code of the signal, nothing half-written left."""

import signal

import numpy as np
import pytest
from states import hidden_names
from stories import STORIES, Stage


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_at_random_moments(stage: Stage, number: signal.Signals, num_kills: int) -> None:
    rng = np.random.default_rng(number)
    count = max(10, num_kills // 5)
    codes = set()
    for index in range(count):
        story = stage.set_up(STORIES[index % len(STORIES)])
        moment = 1.05 * story.seconds * (index + rng.random()) / count
        ended = stage.program.run(*story.arguments, signal_after_s=moment, signal_number=number)
        codes.add(ended.code)
        assert ended.code in (0, 128 + number), ended.err
        assert ended.err == ("" if ended.code == 0 else "hybridfactory: interrupted\n")
        found = stage.assert_never_wrong(story, {})
        assert not hidden_names(stage.world.out)
        if ended.code == 0:
            assert found == "new"
        elif not story.earlier:
            assert found == "new" or not stage.world.out.exists()
        stage.run_again(story, {})
    assert 128 + number in codes
