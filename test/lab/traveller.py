"""A program that goes to and fro between two sides: started, checkpointed and ended, carried, restarted, checked."""
import time

from sides import Failed, Skipped, carry, copy

LIMIT = 60  # seconds for an answer, on an emulated CPU
WAIT = """cd '{home}'; i=0
while [ ! -e ready.{n} ] && [ $i -lt {tenths} ]; do
  sleep 0.1; i=$((i+1))
  cat result.* 2>/dev/null | grep -q '^[fs]' && break
done
cat result.* 2>/dev/null; echo; ls ready.{n} 2>/dev/null; true"""


class Traveller:
    def __init__(self, side, name, argv, options=(), env=None):
        self.side, self.name = side, name
        self.home = side.directory / name
        side.shell(f"rm -rf '{self.home}' && mkdir -p -m 700 '{self.home}'")
        words = [a.format(home=self.home) if isinstance(a, str) else a for a in argv]
        side.spawn([side.build / "tools/mig", "run", "--name", name, "--images", self.home / "images", "--keep", "1", *options, "--", *words], self.home / "output", env)
        self.bytes = 0

    def leave(self):
        """Ends with an image."""
        mig = self.side.build / "tools/mig"
        gone = f"while '{mig}' ls --json | grep -q '\"{self.name}\"'; do sleep 0.1; done"
        self.image = self.side.shell(f"'{mig}' checkpoint '{self.name}' --kill && {gone}", limit=180).strip().splitlines()[-1]

    def go(self, other, expect=0):
        """Restarts on the other side. With `expect`, returns what the refusal said, and stays where it was."""
        self.leave()
        self.bytes = carry(self.side, other, self.home)
        began = time.monotonic()
        try:
            said = other.mig("restart", self.image, "--detach", limit=120, expect=expect)
        except Failed as error:
            said = other.shell(f"tail -c 1000 '{self.home}/output'")
            raise Failed(f"{error}{said}")
        self.took = time.monotonic() - began
        if expect:
            carry(other, self.side, self.home)
            return said
        self.side = other
        return said

    def move(self, other):
        """Without an image: its directory is on both sides before. Returns the seconds."""
        copy(self.side, other, self.home)
        began = time.monotonic()
        self.side.mig("move", self.name, other.name, limit=300)
        took = time.monotonic() - began
        self.side.shell(f"rm -rf '{self.home}'")
        self.side = other
        return took

    def end(self):
        self.side.run([self.side.build / "tools/mig", "signal", self.name, "KILL"])
        self.side.shell(f"rm -rf '{self.home}'")


class Subject(Traveller):
    """A program of test/subjects (subject.h): it makes one resource and says after each restart whether it is as it was."""

    def __init__(self, side, name, options=(), env=None):
        super().__init__(side, name, [side.build / "test/subjects" / name, "{home}"], options, env)
        self.generation = 0
        self.ready()

    def ready(self):
        """Waits for it in one command, since each costs a round trip."""
        text = self.side.shell(WAIT.format(home=self.home, n=self.generation, tenths=LIMIT * 10), limit=LIMIT + 60)
        wrong = [line for line in text.replace("ok", "\n").splitlines() if line.startswith(("fail: ", "skip: "))]
        if wrong and wrong[0].startswith("skip: "):
            raise Skipped(wrong[0][6:])
        if wrong or f"ready.{self.generation}" not in text:
            raise Failed(f"{self.name} on {self.side.name}, generation {self.generation}: {wrong or 'it does not answer'}; {self.side.said()}")

    def check(self):
        self.side.shell(f"touch '{self.home}/check.{self.generation}'")
        self.generation += 1
        self.ready()

    def end(self):
        self.side.run(["touch", self.home / "end"])
        super().end()
