"""ROC AUC of LightGBM on the very split of a recorded Telco run.

    python3 -m pip install lightgbm scikit-learn
    veracta demo churn --data telco_customer_churn.csv
    python3 crates/veracta/benches/lightgbm_reference.py telco_customer_churn.csv churn-demo
"""

import csv
import json
import subprocess
import sys

import lightgbm
import numpy
from sklearn.metrics import roc_auc_score

data, folder = sys.argv[1:3]
veracta = sys.argv[3] if len(sys.argv) > 3 else "veracta"


def show(reference):
    out = subprocess.run([veracta, "--workspace", folder, "--format", "json", "show", reference], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


log = subprocess.run([veracta, "--workspace", folder, "--format", "json", "log", "-n", "1000"], capture_output=True, text=True, check=True)
position = {entry["entry"]["kind"]: entry["idx"] for entry in json.loads(log.stdout)}
split = show(f"#{position['dataset.split']}")["record"]["body"]
digest = split["assignment"]
assignment = open(f"{folder}/.veracta/objects/blobs/{digest[:2]}/{digest}").read()
report = show(f"#{position['validation.report']}")["record"]["body"]
ours = next(result["estimate"]["estimate"] for result in report["results"] if result["metric"] == "roc_auc")

rows = list(csv.DictReader(open(data)))
label = numpy.array([row["Churn"] == "Yes" for row in rows], dtype=int)
numbers = {"tenure", "MonthlyCharges", "TotalCharges"}
names = [name for name in rows[0] if name not in ("customerID", "Churn")]
columns = []
for name in names:
    if name in numbers:
        columns.append([float(row[name]) if row[name].strip() else numpy.nan for row in rows])
    else:
        levels = sorted({row[name] for row in rows})
        columns.append([levels.index(row[name]) for row in rows])
matrix = numpy.array(columns, dtype=float).T
train, test = (numpy.array([part == letter for part in assignment]) for letter in "rt")
categorical = [index for index, name in enumerate(names) if name not in numbers]


def reference(**settings):
    model = lightgbm.LGBMClassifier(verbose=-1, random_state=7, deterministic=True, force_row_wise=True, **settings)
    model.fit(matrix[train], label[train], categorical_feature=categorical)
    return roc_auc_score(label[test], model.predict_proba(matrix[test])[:, 1])


print(f"veracta                                 {ours:.4f}")
print(f"LightGBM {lightgbm.__version__}, defaults               {reference():.4f}")
print(f"LightGBM, 150 trees, 0.06, 16 leaves     {reference(n_estimators=150, learning_rate=0.06, num_leaves=16, max_depth=4):.4f}")
