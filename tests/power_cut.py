#!/usr/bin/env python3
"""Cuts the power under the store, on a disk that keeps a diary of its writes. Run by hand, as root:

    apt-get install -y fuse python3-fusepy e2fsprogs
    tests/power_cut.py [--cuts 100] [--seed N] [--file-system ext4] [--sled-flush-alone]

A disk is a file of a small FUSE program, which notes each write and each flush; a loop device makes a block device of it, with a
file system on that. A process appends to a store there as fast as it can, one run alone or eight at once, and says what was
acknowledged. Then the disk is made again as the power would have left it at random moments: all that lay before the last flush, and
of the 4 KiB blocks written since then a random part. The store must open there, with every record that had been acknowledged
by that moment, each as it was appended. At every third cut the power fails once more while the store opens. An image that
fails is kept, and told with the seed.

`--sled-flush-alone` makes `fdatasync` do nothing for the writing process: the cuts must then find losses, or they see nothing.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

try:
    import fusepy as fuse  # Debian's name for it
except ImportError:
    import fuse

BLOCK = 4096
DISK_BYTES = 320 << 20
HERE = pathlib.Path(__file__).resolve().parent.parent
CHILD = ["--exact", "store::child::the_child", "--nocapture"]
NO_SYNC = "int fdatasync(int fd) { return 0; }"

# So many cuts are tried on what one disk was through.
A_DISK = 20
# One run that appends, or eight at once.
MODES = ["alone", "together"]

Step = collections.namedtuple("Step", "at kind offset data")
Written = collections.namedtuple("Written", "base steps acknowledged")


class Disk(fuse.Operations):
    """One file, `/disk`; what is done to it goes into the diary before it is answered."""

    def __init__(self, backing, diary):
        self.file = os.open(backing, os.O_RDWR)
        self.diary = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": 0o40755, "st_nlink": 2}
        if path == "/disk":
            return {"st_mode": 0o100600, "st_nlink": 1, "st_size": DISK_BYTES}
        raise fuse.FuseOSError(2)

    def readdir(self, path, fh):
        return [".", "..", "disk"]

    def open(self, path, flags):
        return 0

    def read(self, path, size, offset, fh):
        return os.pread(self.file, size, offset)

    def write(self, path, data, offset, fh):
        os.write(self.diary, b"w" + offset.to_bytes(8, "big") + len(data).to_bytes(8, "big") + data)
        return os.pwrite(self.file, data, offset)

    def fsync(self, path, datasync, fh):
        os.write(self.diary, b"f" + bytes(16))
        return 0


def read_diary(path):
    """The steps of a diary, each with the diary's length behind it."""
    steps, text, at = [], path.read_bytes(), 0
    while at < len(text):
        offset, length = (int.from_bytes(text[at + k : at + k + 8], "big") for k in (1, 9))
        end = at + 17 + length
        steps.append(Step(end, text[at : at + 1], offset, text[at + 17 : end]))
        at = end
    return steps


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True, **options)


def test_binary():
    """The integration tests' program, built."""
    build = ["cargo", "test", "--features", "test-kill,test-mutation", "--test", "it", "--no-run", "--message-format", "json"]
    output = run(*build, cwd=HERE, stdout=subprocess.PIPE).stdout
    found = [json.loads(line) for line in output.splitlines() if '"executable":"' in line]
    return next(part["executable"] for part in found if part["target"]["name"] == "it")


def until(condition, what):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    sys.exit(f"power_cut: waited 10 s in vain until {what}")


def child(binary, mode, mounted, environment):
    environment = {**os.environ, **environment, "CHANGEOVER_STORE_CHILD": mode, "CHANGEOVER_STORE_STATE": str(mounted / "state")}
    return subprocess.Popen([binary, *CHILD], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def write_until(binary, mode, folder, base, seconds, environment):
    """Lets the store be written to on a disk with a diary; tells what was acknowledged when, in lengths of the diary."""
    diary, fuse_at, mounted = folder / "diary", folder / "fuse", folder / "mounted"
    for path in (fuse_at, mounted):
        path.mkdir(parents=True, exist_ok=True)
    run("cp", "--sparse=always", base, folder / "backing")
    diary.write_bytes(b"")
    server = os.fork()
    if server == 0:
        fuse.FUSE(Disk(folder / "backing", diary), str(fuse_at), nothreads=True, foreground=True, big_writes=True)
        os._exit(0)
    try:
        until((fuse_at / "disk").exists, "the disk is there")
        run("mount", "-o", "loop", fuse_at / "disk", mounted)
        acknowledged, writer, end = [], child(binary, mode, mounted, environment), time.monotonic() + seconds
        for line in writer.stdout:
            words = line.split()
            if words[:1] == ["acknowledged"]:
                # The writing went on while this line came here: the length is at least what it was at the acknowledgement.
                acknowledged.append((diary.stat().st_size, words[2], int(words[1])))
            if time.monotonic() > end:
                writer.kill()
        writer.wait()
        run("umount", mounted)
    finally:
        subprocess.run(["umount", str(fuse_at)], check=False)
        os.waitpid(server, 0)
    return Written(base, read_diary(diary), acknowledged)


def after_cut(steps, cut, base, image, rng):
    """Writes the image that a cut behind step `cut` leaves; tells how much was on its way."""
    flush = max((k for k in range(cut + 1) if steps[k].kind == b"f"), default=-1)
    share = rng.choice([0.0, 0.2, 0.5, 0.8, 1.0])
    run("cp", "--sparse=always", base, image)
    with open(image, "r+b") as disk:
        for number, step in enumerate(steps[: cut + 1]):
            for start in range(0, len(step.data), BLOCK):
                if number < flush or rng.random() < share:
                    os.pwrite(disk.fileno(), step.data[start : start + BLOCK], step.offset + start)
    return f"{cut - flush} steps behind a flush, {share:.0%} of them kept"


def found_in(binary, image, mounted):
    """How many records each run has on an image, as the store opens there; an explanation if it does not."""
    run("mount", "-o", "loop", image, mounted)
    try:
        reader = child(binary, "look", mounted, {})
        output = reader.communicate(timeout=120)[0]
    finally:
        run("umount", mounted)
    has = {line.split()[1]: int(line.split()[2]) for line in output.splitlines() if line.startswith("has ")}
    return has if reader.returncode == 0 and "looked" in output else output


def judge(found, acknowledged, at):
    if isinstance(found, str):
        return "the store does not open: " + found[-1500:]
    wanted = {}
    for length, name, number in acknowledged:
        if length <= at:
            wanted[name] = max(number, wanted.get(name, 0))
    short = {name: (found.get(name, 0), number) for name, number in wanted.items() if found.get(name, 0) < number}
    return f"acknowledged records are missing (run: found, wanted): {short}" if short else None


def cut_power(binary, rng, disk, folder, again):
    """One cut; tells what is wrong afterwards, and where the cut was. `again`: the power also fails while the store opens."""
    image, mounted = folder / "image", folder / "looked-at"
    first = next((k for k, step in enumerate(disk.steps) if disk.acknowledged and step.at >= disk.acknowledged[0][0]), 0)
    cut = rng.randrange(first, len(disk.steps))
    where = [f"cut behind step {cut} of {len(disk.steps)}", after_cut(disk.steps, cut, disk.base, image, rng)]
    if again:
        second = write_until(binary, "look", folder / "again", image, 60, {})
        cut_again = rng.randrange(len(second.steps))
        where += [f"again behind step {cut_again} of {len(second.steps)}", after_cut(second.steps, cut_again, image, folder / "image-2", rng)]
        image = folder / "image-2"
    return image, judge(found_in(binary, image, mounted), disk.acknowledged, disk.steps[cut].at), ", ".join(where)


def make_disk(binary, options, mode, folder):
    """A disk with a new file system, written to for a while."""
    base, environment = folder / "base", {}
    base.touch()
    os.truncate(base, DISK_BYTES)
    run(f"mkfs.{options.file_system}", "-q", base)
    (folder / "looked-at").mkdir()
    if options.sled_flush_alone:
        run("gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", folder / "no_sync.so", input=NO_SYNC)
        environment["LD_PRELOAD"] = str(folder / "no_sync.so")
    return write_until(binary, mode, folder / "written", base, options.seconds, environment)


def parse_options():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cuts", type=int, default=100)
    options.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options.add_argument("--seconds", type=float, default=3, help="how long one disk is written to")
    options.add_argument("--file-system", default="ext4", help="ext4, xfs or btrfs")
    options.add_argument("--sled-flush-alone", action="store_true")
    return options.parse_args()


def main():
    options = parse_options()
    print(f"power_cut: seed {options.seed}", flush=True)
    rng, binary, bad, done = random.Random(options.seed), test_binary(), 0, 0
    while done < options.cuts:
        mode = MODES[done // A_DISK % len(MODES)]
        with tempfile.TemporaryDirectory(prefix="power-cut-") as name:
            folder = pathlib.Path(name)
            disk = make_disk(binary, options, mode, folder)
            for _ in range(min(A_DISK, options.cuts - done)):
                done += 1
                image, wrong, where = cut_power(binary, rng, disk, folder, again=done % 3 == 0)
                if wrong:
                    bad += 1
                    kept = pathlib.Path(tempfile.gettempdir()) / f"power-cut-{options.seed}-{done}.img"
                    print(f"cut {done}, {mode}: {where}: {wrong}", flush=True)
                    if not options.sled_flush_alone:
                        run("cp", "--sparse=always", image, kept)
                        print(f"  kept as {kept}", flush=True)
        print(f"{done} cuts, {bad} with a loss; {len(disk.acknowledged)} records acknowledged on the last disk, {mode}", flush=True)
    sys.exit((bad == 0) == options.sled_flush_alone)


main()
