"""Makes models and tables, and times XGBoost, LightGBM and SciPy on what `veracta` is timed on.

    pip install xgboost lightgbm pandas pyarrow scipy scikit-learn fairlearn
    python3 crates/veracta/benches/peers.py FOLDER target/release/veracta

Prints processor seconds (user + system) of whole processes, one thread each unless said; the machine may be shared, so read ratios.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

N_FEATURES = 50
N_TRAIN = 20_000
N_ROWS = 1_000_000
N_EXPLAINED = 10_000
# The peers explain a tenth; their cost is linear in rows.
N_EXPLAINED_PEER = 1_000


def make(folder: Path) -> None:
    import lightgbm
    import numpy
    import pandas
    import xgboost

    rng = numpy.random.default_rng(7)
    names = [f"f{i}" for i in range(N_FEATURES)]

    def table(n, shift=0.0):
        values = rng.normal(shift, 1.0, (n, N_FEATURES)).astype("float32")
        return pandas.DataFrame(values, columns=names)

    train = table(N_TRAIN)
    margin = train["f0"] * train["f1"] + numpy.sin(2 * train["f2"]) + train[names[3:20]].sum(axis=1) / 4
    label = (margin + rng.normal(0, 1, N_TRAIN) > 0).astype(int)
    settings = {"objective": "binary:logistic", "max_depth": 8, "eta": 0.05, "tree_method": "hist", "nthread": 2}
    xgboost.train(settings, xgboost.DMatrix(train, label), 500).save_model(str(folder / "xgboost.json"))
    settings = {"objective": "binary", "num_leaves": 64, "learning_rate": 0.05, "verbose": -1, "num_threads": 2}
    lightgbm.train(settings, lightgbm.Dataset(train, label), 500).save_model(str(folder / "lightgbm.txt"))
    rows = table(N_ROWS)
    rows.to_parquet(folder / "rows.parquet")
    rows.head(N_EXPLAINED).to_parquet(folder / "explained.parquet")
    current = table(N_ROWS, 0.02)
    for i in range(0, 10):
        code = numpy.minimum((numpy.abs(rows[f"f{i}"]) * 4).astype(int), 8)
        rows[f"f{i}"] = "c" + code.astype(str)
        code = numpy.minimum((numpy.abs(current[f"f{i}"]) * 4).astype(int), 8)
        current[f"f{i}"] = "c" + code.astype(str)
    scores = rng.uniform(0, 1, N_ROWS)
    scored = {"y": (rng.uniform(0, 1, N_ROWS) < scores).astype(int), "p": scores, "g": rng.integers(0, 8, N_ROWS)}
    pandas.DataFrame(scored).to_parquet(folder / "scored.parquet")
    rows.to_parquet(folder / "reference.parquet")
    current.to_parquet(folder / "current.parquet")


def measured(name: str, run) -> None:
    """Runs in a child of its own and prints its processor seconds and peak memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.time()
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name:<58} {cpu:8.2f} s processor {time.time() - begun:8.2f} s wall {after.ru_maxrss / 1024:7.0f} MiB at most so far", flush=True)


def child(code: str, folder: Path, threads: int = 1):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS="1")
    return lambda: subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True)


def veracta(program: str, arguments: list, folder: Path, threads: int = 1):
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))

    def run():
        done = subprocess.run([program, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        assert done.returncode in (0, 1), arguments

    return run


READ = "import pandas, numpy; rows = pandas.read_parquet('{}')\n"
XGBOOST = READ + "import xgboost; b = xgboost.Booster(); b.load_model('xgboost.json'); b.set_param('nthread', 1); d = xgboost.DMatrix(rows{}, nthread=1)\n"
LIGHTGBM = READ + "import lightgbm; b = lightgbm.Booster(model_file='lightgbm.txt'); rows = rows{}\n"
FAIRLEARN = """
import pandas, sklearn.metrics as m
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate, false_positive_rate, false_negative_rate
d = pandas.read_parquet('scored.parquet')
metrics = {'a': m.accuracy_score, 'p': m.precision_score, 's': selection_rate, 't': true_positive_rate, 'f': false_positive_rate, 'n': false_negative_rate}
frame = MetricFrame(metrics=metrics, y_true=d.y, y_pred=(d.p >= 0.5).astype(int), sensitive_features=d.g)
frame.by_group, frame.difference(), frame.ratio()
"""
SCIPY = """
import pandas, numpy, scipy.stats, scipy.spatial.distance
a, b = pandas.read_parquet('reference.parquet'), pandas.read_parquet('current.parquet')
for name in a:
    x, y = a[name], b[name]
    if x.dtype == object or str(x.dtype).startswith('str'):
        p, q = x.value_counts(normalize=True).align(y.value_counts(normalize=True), fill_value=0)
        scipy.spatial.distance.jensenshannon(p, q)
    else:
        scipy.stats.wasserstein_distance(x, y)
        scipy.stats.ks_2samp(x, y, method='asymp')
"""


def main() -> None:
    folder, program = Path(sys.argv[1]), str(Path(sys.argv[2]).resolve())
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "current.parquet").exists():
        make(folder)
    n = f".head({N_EXPLAINED_PEER})"
    measured("veracta predict, XGBoost model, 1M rows", veracta(program, ["predict", "xgboost.json", "rows.parquet", "-o", "out.csv"], folder))
    measured("  the same rows read and nothing predicted: profile", veracta(program, ["profile", "rows.parquet"], folder))
    measured("XGBoost predict, 1M rows", child(XGBOOST.format("rows.parquet", "") + "b.predict(d)", folder))
    measured("  the same rows read and nothing predicted", child(XGBOOST.format("rows.parquet", ""), folder))
    measured("veracta predict, LightGBM model, 1M rows", veracta(program, ["predict", "lightgbm.txt", "rows.parquet", "-o", "out.csv"], folder))
    measured("LightGBM predict, 1M rows", child(LIGHTGBM.format("rows.parquet", "") + "b.predict(rows, num_threads=1)", folder))
    measured("veracta explain, XGBoost model, 10,000 rows", veracta(program, ["explain", "xgboost.json", "explained.parquet"], folder))
    measured("XGBoost pred_contribs, 1,000 rows", child(XGBOOST.format("explained.parquet", n) + "b.predict(d, pred_contribs=True)", folder))
    measured("veracta explain, LightGBM model, 10,000 rows", veracta(program, ["explain", "lightgbm.txt", "explained.parquet"], folder))
    measured("LightGBM pred_contrib, 1,000 rows", child(LIGHTGBM.format("explained.parquet", n) + "b.predict(rows, pred_contrib=True, num_threads=1)", folder))
    scored = ["evaluate", "scored.parquet", "--label", "y", "--score", "p", "--group", "g"]
    counted = ["--metric", "accuracy,precision,recall,specificity,f1,selection_rate", "--resamples", "1000"]
    measured("veracta evaluate, 1M rows, 8 groups, 1,000 resamples", veracta(program, [*scored, *counted], folder))
    measured("Fairlearn MetricFrame, the same without any resample", child(FAIRLEARN, folder))
    measured("veracta drift, 1M x 50 against 1M x 50", veracta(program, ["drift", "reference.parquet", "current.parquet"], folder))
    measured("SciPy alone: Wasserstein and KS, or Jensen-Shannon", child(SCIPY, folder))


if __name__ == "__main__":
    main()
