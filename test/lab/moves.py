"""mig move between the two hosts, over ssh. Both see the same files under the same names: the job's directory is copied first."""
from sides import Failed, copy
from traveller import Subject


def moved_to_and_fro(first, second, name, options=(), generations=2):
    job = Subject(first, name, options)
    took = []
    try:
        for _ in range(generations):
            for side in (second, first):
                took.append(f"{job.move(side):.1f}")
                job.check()
        return f"{len(took)} moves ({' '.join(took)} s)"
    finally:
        job.end()


def move_refused(here, there, name, words):
    """Before anything stops: it goes on here, and can be moved or saved as before."""
    job = Subject(here, name)
    try:
        copy(here, there, job.home)
        said = here.mig("move", job.name, there.name, expect=3, limit=120)
        missing = [w for w in words if w not in said]
        if missing:
            raise Failed(f"the refusal does not say {missing}: {said}")
        job.check()
        job.go(here)
        job.check()
        return said.strip().splitlines()[-1][:250]
    finally:
        job.end()
