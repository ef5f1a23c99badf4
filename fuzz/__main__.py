"""Run the fuzz targets: `python -m fuzz --help`."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from fuzz.campaign import ROUND, Campaign, Result
from fuzz.targets.registry import TARGETS

INPUTS = 100_000
FOLDER = Path(__file__).parents[1] / "build" / "fuzz"


def main() -> int:
    """Run the targets that were asked for.

    Returns:
        0 if no input did harm, else 1.
    """
    options = _parser().parse_args()
    if options.list:
        for target in TARGETS.values():
            print(f"{target.name:18} {target.share / 10:5.1f} %  {target.about}")
        return 0
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    results = _one(options.input) if options.input else _all(options.target, options.inputs, seed)
    print()
    _summarize(results)
    return 1 if any(result.findings for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description="Give damaged payloads, pacts and answers to what reads them, and report what does harm: an "
        "exception that nobody expects, a traceback in a log, a 5xx, an answer that is not documented, more than 5 s. "
        f"An input that does is made as small as can be and kept in {FOLDER.relative_to(FOLDER.parents[1])}.",
        epilog="make fuzz runs it with N=, TARGET=, SEED= and INPUT= for the options.",
    )
    parser.add_argument(
        "--target", metavar="NAME", help="one target with its parts; all of them unless given"
    )
    parser.add_argument(
        "--inputs", metavar="N", type=int, default=INPUTS, help="how many inputs (%(default)s)"
    )
    parser.add_argument(
        "--seed", metavar="S", type=int, help="where the first round starts; a random one unless given"
    )
    parser.add_argument("--input", metavar="FILE", type=Path, help="run one input that was kept")
    parser.add_argument("--list", action="store_true", help="list the targets")
    return parser


def _one(file: Path) -> list[Result]:
    target = TARGETS[file.parent.name]
    with target.open() as check:
        return [Campaign(target, check, folder=FOLDER, tell=_tell).run_file(file)]


def _all(name: str | None, inputs: int, seed: int) -> list[Result]:
    chosen = [t for t in TARGETS.values() if name is None or t.name == name or t.name.startswith(f"{name}-")]
    if not chosen:
        raise SystemExit(f"there is no target {name}: there are {', '.join(TARGETS)}")
    shares = sum(target.share for target in chosen)
    print(
        f"seed {seed}, {inputs:,} inputs: make fuzz N={inputs} SEED={seed}"
        + (f" TARGET={name}" if name else "")
    )
    results = []
    for target in chosen:
        with target.open() as check:
            campaign = Campaign(target, check, folder=FOLDER, tell=_tell)
            result = campaign.run(max(1, round(inputs * target.share / shares)), seed)
        _tell(f"{target.name}: {result.inputs:,} inputs in {result.seconds:.0f} s")
        results.append(result)
    return results


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _summarize(results: list[Result]) -> None:
    findings = [finding for result in results for finding in result.findings]
    for finding in findings:
        print(f"--- {finding.target}: {finding.kind}\n{finding.detail.rstrip()}")
        print(f"    brought about by {finding.times:,} inputs; the smallest: make fuzz INPUT={finding.file}")
        if finding.seed is not None:
            print(f"    found with: make fuzz TARGET={finding.target} SEED={finding.seed} N={ROUND}\n")
    print(f"{'target':18} {'inputs':>9} {'seconds':>8} {'a second':>9} {'faults':>7}")
    total = Result("together")
    for result in results:
        total.inputs += result.inputs
        total.seconds += result.seconds
    total.findings = findings
    for result in (*results, total):
        speed = result.inputs / max(result.seconds, 0.001)
        print(
            f"{result.target:18} {result.inputs:>9,} {result.seconds:>8.0f} {speed:>9,.0f} {len(result.findings):>7}"
        )


if __name__ == "__main__":
    sys.exit(main())
