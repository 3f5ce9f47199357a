"""search_runs: every operator and entity of the grammar, orders, pages, errors."""

import math

from mlflow.data.code_dataset_source import CodeDatasetSource  # noqa: F401  (registers the source)
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType

# name, start_time, end_time, status, params, tags, metrics
RUNS = [
    ("one", 1000, 9000, "FINISHED", {"model": "tree", "depth": "3"}, {"team": "risk", "Zone": "EU"},
     {"auc": 0.75, "loss": 1.0}),
    ("Two", 2000, 8000, "FAILED", {"model": "Tree", "depth": "10"}, {"team": "Risk", "note": "50%_done"},
     {"auc": 0.8125, "loss": math.nan}),
    ("three", 3000, None, "RUNNING", {"model": "linear", "odd key.1": "x"}, {"team": "fraud", "a.b c": "dotted"},
     {"auc": 0.5, "odd/key 1": 7.0}),
    ("four", 4000, 7000, "KILLED", {"model": "δέντρο", "empty": ""}, {"quote": "it's", "double": 'say "hi"'},
     {"auc": math.inf, "loss": -2.5}),
    ("five", 5000, 6000, "FINISHED", {}, {}, {"auc": -math.inf, "loss": math.inf}),
    ("six", 6000, 7000, "SCHEDULED", {"depth": "3"}, {"team": "risk"}, {}),
    ("six", 7000, 7000, "FINISHED", {"depth": "03"}, {"team": "risk"}, {"auc": math.nan, "loss": 0.0}),
]  # fmt: skip

FILTERS = [
    "", " ", "metrics.auc = 0.75", "metrics.auc != 0.75", "metrics.auc > 0.5", "metrics.auc >= 0.5",
    "metrics.auc < 0.8125", "metrics.auc <= 0.5", "metric.auc > 0.7", "metrics.auc > -1", "metrics.auc > 1e-3",
    "metrics.auc > 5e1", "metrics.`auc` > 0.7", 'metrics."auc" > 0.7', "metrics.`odd/key 1` = 7",
    'metrics."odd/key 1" = 7', "metrics.loss < 0", "metrics.loss > 100", "metrics.missing > 0",
    "metrics.missing != 0", "metrics.auc = 0.75 AND metrics.loss = 1", "metrics.loss = 0", "metrics.loss = 0.0",
    "params.model = 'tree'", 'params.model = "tree"', "params.model != 'tree'", "params.model LIKE 'tr%'",
    "params.model LIKE '%r_e'", "params.model ILIKE 'TR%'", "params.model ilike '%LIN%'",
    "params.model like 'Tree'", "params.model IS NULL", "params.model IS NOT NULL", "params.model is null",
    "params.model is not null", "params.missing IS NULL", "params.missing = 'x'", "params.missing != 'x'",
    "param.model = 'tree'", "parameter.model = 'tree'", "parameters.model = 'tree'", "params.depth = '3'",
    "params.depth != '3'", "params.`odd key.1` = 'x'", 'params."odd key.1" = "x"', "params.empty = ''",
    "params.model = 'δέντρο'", "params.model LIKE '%έντ%'", "params.model ILIKE '%ΈΝΤ%'",
    "tags.team = 'risk'", "tag.team = 'risk'", "tags.team != 'risk'", "tags.team LIKE 'r%'",
    "tags.team ILIKE 'r%'", "tags.team IS NULL", "tags.team IS NOT NULL", "tags.Zone = 'EU'", "tags.zone = 'EU'",
    "tags.`a.b c` = 'dotted'", 'tags."a.b c" = "dotted"', "tags.quote = \"it's\"", "tags.double = 'say \"hi\"'",
    "tags.quote = 'it''s'", "tags.quote = 'it\\'s'", "tags.note LIKE '50%'", "tags.note LIKE '%\\_done'",
    "tags.mlflow.runName = 'one'", "tags.`mlflow.runName` = 'one'", "tags.mlflow.runName LIKE 't%'",
    "attributes.status = 'FINISHED'", "attribute.status = 'FAILED'", "attr.status = 'FAILED'",
    "run.status = 'FAILED'", "status = 'FINISHED'", "status != 'FINISHED'", "status = 'finished'",
    "status LIKE 'FIN%'", "status ILIKE 'fin%'", "status = 'SLEEPING'", "status = 'SCHEDULED'",
    "attributes.run_name = 'one'", "run_name = 'six'", "run_name != 'six'", "run_name LIKE 't%'",
    "run_name ILIKE 't%'", "run_name LIKE 'T%'", "attributes.`run name` = 'one'", "`run name` = 'one'",
    "attributes.`Run name` = 'one'", "attributes.start_time = 1000", "start_time > 3000", "start_time >= 3000",
    "start_time < 3000", "start_time <= 3000", "start_time != 3000", "attributes.created > 3000", "created = 1000",
    "attributes.Created > 3000", "end_time > 7000", "end_time = 7000", "end_time != 7000", "end_time < 100",
    "attributes.user_id = 'conformance'", "user_id != 'nobody'", "attributes.artifact_uri LIKE 'mlflow-artifacts:%'",
    "artifact_uri = 'nowhere'", "attributes.run_id LIKE '%'", "run_id = 'nothing'", "run_id != 'nothing'",
    "attributes.run_id IN ('a', 'b')", "attributes.run_id NOT IN ('a', 'b')", "run_id ILIKE '%'",
    "datasets.name = 'train'", "dataset.name = 'train'", "datasets.name != 'train'", "datasets.name LIKE 'tr%'",
    "datasets.name ILIKE 'TR%'", "datasets.name IN ('train', 'test')", "datasets.name NOT IN ('train')",
    "datasets.digest = 'digest1'", "datasets.digest != 'digest1'", "datasets.digest LIKE 'digest%'",
    "datasets.digest ILIKE 'DIGEST2'", "datasets.digest IN ('digest1', 'digest2')",
    "datasets.context = 'training'", "datasets.context != 'training'", "datasets.context LIKE 'train%'",
    "datasets.context ILIKE 'EVAL%'", "datasets.context IN ('training', 'evaluation')",
    "datasets.name = 'train' AND datasets.context = 'training'", "datasets.name = 'train' AND params.depth = '3'",
    "dataset.`name` = 'train'", "metrics.auc > 0 AND params.model = 'tree' AND tags.team = 'risk'",
    "metrics.auc > 0 and status = 'FINISHED' And run_name = 'one'", "  metrics.auc   >   0.7  ", "metrics.auc>0.7",
    "params.model='tree'", "params.model = 'a AND b'", "tags.team = 'risk' AND tags.team != 'fraud'",
    "params.depth = '3' AND params.depth LIKE '3'", "attributes.status IN ('FINISHED')",
]  # fmt: skip

BAD_FILTERS = [
    "metrics.auc", "metrics.auc >", "> 0.5", "metrics.auc == 1", "metrics.auc = 'x'", "metrics.auc LIKE 'x'",
    "metrics.auc = abc", "metrics.auc IS NULL", "metrics.auc IN (1, 2)", "params.model > 'a'", "params.model = 3",
    "params.model = tree", "params.model IN ('tree')", "tags.team IN ('risk')", "tags.team < 'x'", "tags.team = 5",
    "status > 'A'", "status = 5", "status IN ('FINISHED', 'FAILED')", "start_time = 'x'", "start_time LIKE '1%'",
    "start_time = 1.5", "start_time IS NULL", "run_name IS NULL", "run_name > 'a'", "run_id IN ()",
    "run_id IN ('a'", "run_id IN 'a'", "run_id IN (1, 2)", "run_id IN (a)", "color = 'red'",
    "attributes.color = 'red'", "attributes.end = 1", "lifecycle_stage = 'active'",
    "attributes.lifecycle_stage = 'active'", "experiment_id = '0'", "models.a = 'b'", "metrics = 1", "params = 'a'",
    "dataset.color = 'red'", "datasets.name > 'a'", "datasets.source = 'x'", "datasets.name IS NULL",
    "params.model = 'tree' OR params.model = 'linear'", "(params.model = 'tree')", "NOT params.model = 'tree'",
    "params.model = 'tree' params.depth = '3'", "params.model = 'tree' AND", "AND params.model = 'tree'",
    "params.model = 'tree' AND AND params.depth = '3'", "params.model = 'tree", "params.model = tree'",
    "params.model = `tree`", "params.model = ''tree''", "'params.model' = 'tree'", "params.'model' = 'tree'",
    "params.model = 'tree'; DROP TABLE runs", "params.model = 'tree' -- comment", "params.model NOT LIKE 'x'",
    "params.model BETWEEN 'a' AND 'z'", "params.model = 'a', params.depth = '3'", "params. = 'x'", ".model = 'x'",
    "params..model = 'x'", "1 = 1", "'a' = 'a'", "0.75 = metrics.auc", "metrics.auc > 0.5 > 0.1",
    "metrics.auc > metrics.loss", "params.model IS 'x'", "params.model IS NOT 'x'", "tags.a.b = 'x'", "*",
]  # fmt: skip

ORDERS = [
    [], ["metrics.auc"], ["metrics.auc ASC"], ["metrics.auc DESC"], ["metrics.loss asc"], ["metrics.loss desc"],
    ["metrics.`auc` DESC"], ['metrics."odd/key 1"'], ["metrics.missing"], ["params.model"], ["params.model DESC"],
    ["params.depth ASC"], ["params.missing DESC"], ["params.`odd key.1`"], ["tags.team"], ["tags.team DESC"],
    ["tags.`a.b c`"], ["tag.team ASC"], ["start_time"], ["start_time ASC"], ["start_time DESC"], ["end_time ASC"],
    ["end_time DESC"], ["attributes.start_time DESC"], ["attribute.end_time"], ["attr.status"], ["status DESC"],
    ["run_name ASC"], ["attributes.run_name DESC"], ["`run name`"], ["created DESC"], ["run_name", "start_time"],
    ["user_id", "start_time ASC"], ["params.depth", "metrics.auc DESC"], ["tags.team DESC", "start_time ASC"],
    ["status", "end_time DESC", "run_name"], ["  metrics.auc   DESC  "], ["metric.auc"], ["parameters.model"],
]  # fmt: skip

BAD_ORDERS = [
    ["color"], ["metrics"], ["metrics."], ["metrics.auc UP"], ["metrics.auc ASC DESC"], ["metrics.auc, params.model"],
    ["models.a"], [""], ["1"], ["metrics.auc", "metrics.auc"], ["metrics.auc ASC", "metrics.auc DESC"],
    ["datasets.name"], ["'metrics.auc'"], ["lifecycle_stage"], ["metrics.auc;"],
]  # fmt: skip


def run(script):
    """Runs the section."""
    step, client = script.section("search"), script.client
    experiment = step("create experiment", lambda: client.create_experiment("search"), kind="experiment")
    other = step(
        "create other experiment", lambda: client.create_experiment("search other"), kind="experiment"
    )
    ids = [
        step(f"make run {index}", lambda row=row: make_run(client, experiment, row))
        for index, row in enumerate(RUNS)
    ]
    step("make a run elsewhere", lambda: make_run(client, other, RUNS[0]))
    step("link datasets", lambda: link_datasets(client, ids))
    step("all runs", lambda: client.search_runs([experiment]))
    filters(step, client, experiment, ids)
    orders(step, client, experiment)
    scope(step, client, experiment, other, ids)
    pages(step, client, experiment)


def make_run(client, experiment, row):
    """Makes one run of the table and returns its id."""
    name, start, end, status, params, tags, metrics = row
    run_id = client.create_run(experiment, start, tags, name).info.run_id
    client.log_batch(
        run_id,
        [Metric(key, value, 1000, 0) for key, value in metrics.items()],
        [Param(key, value) for key, value in params.items()],
        [RunTag("index", name)],
    )
    if end:
        client.set_terminated(run_id, status, end)
    else:
        client.update_run(run_id, status=status)
    return run_id


def link_datasets(client, ids):
    """Gives three runs their datasets."""

    def dataset(name, digest, context):
        tags = [InputTag("mlflow.data.context", context)] if context else []
        return DatasetInput(Dataset(name, digest, "local", "{}", '{"s": 1}', '{"p": 1}'), tags)

    client.log_inputs(
        ids[0], [dataset("train", "digest1", "training"), dataset("test", "digest2", "evaluation")]
    )
    client.log_inputs(ids[1], [dataset("train", "digest3", "training")])
    client.log_inputs(ids[2], [dataset("plain", "digest1", None)])


def found_names(client, *arguments, **options):
    """Returns names and start times, which tell the runs apart."""
    return [
        f"{found.info.run_name} {found.info.start_time}"
        for found in client.search_runs(*arguments, **options)
    ]


def filters(step, client, experiment, ids):
    """Every filter of the lists, and those that name real ids."""
    for text in FILTERS:
        step(f"filter {text!r}", lambda text=text: found_names(client, [experiment], text))
    for text in BAD_FILTERS:
        step(f"bad filter {text!r}", lambda text=text: found_names(client, [experiment], text))
    one, two = ids[0], ids[1]
    known = {
        "= first": f"run_id = '{one}'",
        "!= first": f"run_id != '{one}'",
        "IN two": f"attributes.run_id IN ('{one}', '{two}')",
        "NOT IN two": f"attributes.run_id NOT IN ('{one}', '{two}')",
        "LIKE first": f"run_id LIKE '{one[:20]}%'",
        "run_uuid": f"attributes.run_uuid = '{one}'",
        "IN and params": f"run_id IN ('{one}', '{two}') AND params.depth = '3'",
    }
    for name, text in known.items():
        step(f"run_id {name}", lambda text=text: found_names(client, [experiment], text))


def orders(step, client, experiment):
    """Every order of the lists."""
    for order in ORDERS:
        step(f"order {order}", lambda order=order: found_names(client, [experiment], order_by=order))
    for order in BAD_ORDERS:
        step(f"bad order {order}", lambda order=order: found_names(client, [experiment], order_by=order))
    step(
        "filter and order",
        lambda: found_names(client, [experiment], "metrics.auc > -5", order_by=["metrics.auc DESC"]),
    )


def scope(step, client, experiment, other, ids):
    """Experiments and deleted runs."""
    by_time = {"order_by": ["start_time ASC", "run_name"]}
    step("no experiment", lambda: found_names(client, []))
    step("two experiments", lambda: found_names(client, [experiment, other], **by_time))
    step("an experiment twice", lambda: found_names(client, [other, other], **by_time))
    step("an unknown experiment", lambda: found_names(client, ["987654321"]))
    step("a malformed experiment", lambda: found_names(client, ["abc"]))
    step("delete the last run", lambda: client.delete_run(ids[-1]))
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
        step(
            f"view {view}",
            lambda view=view: found_names(client, [experiment], run_view_type=getattr(ViewType, view)),
        )
    step("restore the last run", lambda: client.restore_run(ids[-1]))


def pages(step, client, experiment):
    """Walks through pages of two."""

    def walk(text="", order=None):
        found, token = [], None
        for _ in range(10):
            page = client.search_runs([experiment], text, max_results=2, order_by=order, page_token=token)
            found.append([f"{item.info.run_name} {item.info.start_time}" for item in page])
            token = page.token
            if not token:
                break
        return found

    step("pages", walk)
    step("pages by metric", lambda: walk(order=["metrics.auc DESC"]))
    step("pages of a filter", lambda: walk("tags.team ILIKE 'risk'", ["start_time ASC"]))
    step("page with a bad token", lambda: found_names(client, [experiment], page_token="not a token"))
    for size in (0, -1, 1, 50000, 50001):
        step(f"page of {size}", lambda size=size: found_names(client, [experiment], max_results=size))
