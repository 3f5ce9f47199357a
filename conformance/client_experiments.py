"""Experiments: create, read, search, rename, tags, delete and restore, with all refusals."""

from mlflow.entities import ExperimentTag, ViewType
from transcript import label

UNKNOWN = "987654321"


def run(script):
    """Runs the section."""
    step, client = script.section("experiments"), script.client
    ids = create(step, client)
    refuse_creation(step, client)
    read(step, client, ids)
    rename(step, client, ids)
    tags(step, client, ids)
    delete_and_restore(step, client, ids)
    search(step, client)
    search_filters(step, client)
    refuse_search(step, client)
    pages(step, client)
    fluent(step)


def create(step, client):
    """Creates the experiments that the later parts look for; returns their ids by name."""
    step("default experiment", lambda: client.get_experiment("0"))
    step("search of a fresh server", lambda: client.search_experiments())
    ids = {}
    for name in ("alpha", "Beta", "gamma_100%", "δέλτα", "with 'quotes' \"double\"", " padded ", "a/b:c"):
        ids[name] = step(
            f"create {name}", lambda name=name: client.create_experiment(name), kind="experiment"
        )
    ids["tagged"] = step(
        "create with tags",
        lambda: client.create_experiment("tagged", tags={"team": "risk", "stage": "Draft", "empty": ""}),
        kind="experiment",
    )
    ids["located"] = step(
        "create with an artifact location",
        lambda: client.create_experiment("located", artifact_location="mlflow-artifacts:/elsewhere"),
        kind="experiment",
    )
    step(
        "create with a name of 500 characters", lambda: client.create_experiment("n" * 500), kind="experiment"
    )
    return ids


def refuse_creation(step, client):
    """Asks for experiments that no server should make."""
    step("create twice", lambda: client.create_experiment("alpha"))
    step("create in another letter case", lambda: client.create_experiment("ALPHA"), kind="experiment")
    step("create with an empty name", lambda: client.create_experiment(""))
    step("create with a blank name", lambda: client.create_experiment("   "), kind="experiment")
    step("create without a name", lambda: client.create_experiment(None))
    step("create with a number as name", lambda: client.create_experiment(12))
    step("create with a name of 501 characters", lambda: client.create_experiment("n" * 501))
    for location in (
        "mlflow-artifacts:/a#fragment",
        "mlflow-artifacts:/a?query=1",
        "mlflow-artifacts:/../a",
        "mlflow-artifacts:/%2e%2e/a",
        "runs:/abc/a",
    ):
        step(
            f"create at {location}",
            lambda location=location: client.create_experiment("at " + location, artifact_location=location),
            kind="experiment",
        )


def read(step, client, ids):
    """Reads experiments by id and by name."""
    for name, experiment_id in ids.items():
        step(f"get {name}", lambda experiment_id=experiment_id: client.get_experiment(experiment_id))
        step(f"get by name {name}", lambda name=name: client.get_experiment_by_name(name))
    step("get an unknown id", lambda: client.get_experiment(UNKNOWN))
    step("get an id that is no number", lambda: client.get_experiment("abc"))
    step("get an empty id", lambda: client.get_experiment(""))
    step("get a negative id", lambda: client.get_experiment("-1"))
    step("get by an unknown name", lambda: client.get_experiment_by_name("nowhere"))
    step("get by an empty name", lambda: client.get_experiment_by_name(""))


def rename(step, client, ids):
    """Renames experiments."""
    beta = ids["Beta"]
    step("rename", lambda: client.rename_experiment(beta, "beta two"))
    step("get after rename", lambda: client.get_experiment(beta))
    step("get by the old name", lambda: client.get_experiment_by_name("Beta"))
    step("rename to its own name", lambda: client.rename_experiment(beta, "beta two"))
    step("rename to a taken name", lambda: client.rename_experiment(beta, "alpha"))
    step("rename to an empty name", lambda: client.rename_experiment(beta, ""))
    step("rename to a blank name", lambda: client.rename_experiment(beta, "  "))
    step("rename to 501 characters", lambda: client.rename_experiment(beta, "r" * 501))
    step("rename to none", lambda: client.rename_experiment(beta, None))
    step("rename an unknown id", lambda: client.rename_experiment(UNKNOWN, "other"))
    step("rename back", lambda: client.rename_experiment(beta, "Beta"))


def tags(step, client, ids):
    """Sets, overwrites and deletes tags."""
    alpha = ids["alpha"]
    long = {"key of 250": ("k" * 250, "v"), "key of 251": ("k" * 251, "v")}
    long |= {"value of 5000": ("long", "v" * 5000), "value of 5001": ("long", "v" * 5001)}
    long |= {"value of 20000": ("longer", "v" * 20000), "value of 20001": ("longer", "v" * 20001)}
    step("set a tag", lambda: client.set_experiment_tag(alpha, "team", "fraud"))
    step("overwrite a tag", lambda: client.set_experiment_tag(alpha, "team", "Fraud"))
    step("set an empty value", lambda: client.set_experiment_tag(alpha, "empty", ""))
    step("set a value of two lines", lambda: client.set_experiment_tag(alpha, "lines", "one\ntwo"))
    step("set the note", lambda: client.set_experiment_tag(alpha, "mlflow.note.content", "a *note*"))
    step("set a number", lambda: client.set_experiment_tag(alpha, "number", 12))
    step("set a unicode key", lambda: client.set_experiment_tag(alpha, "größe", "χ"))
    step("get after tags", lambda: client.get_experiment(alpha))
    for key in ("", "a=b", "../a", "/a", "a//b", "a/", ".", "a\nb", None):
        step(f"set a tag with key {label(key)}", lambda key=key: client.set_experiment_tag(alpha, key, "v"))
    for name, (key, value) in long.items():
        step(f"set a tag with {name}", lambda k=key, v=value: client.set_experiment_tag(alpha, k, v))
    step("length of the long tags", lambda: tag_lengths(client.get_experiment(alpha)))
    step("set a tag of an unknown id", lambda: client.set_experiment_tag(UNKNOWN, "team", "x"))
    if hasattr(client, "delete_experiment_tag"):
        step("delete a tag", lambda: client.delete_experiment_tag(alpha, "lines"))
        step("delete a tag twice", lambda: client.delete_experiment_tag(alpha, "lines"))
        step("delete a tag of an unknown id", lambda: client.delete_experiment_tag(UNKNOWN, "lines"))
    step("tags at the end", lambda: tag_lengths(client.get_experiment(alpha)))


def tag_lengths(experiment):
    """Returns the length of each tag value, for values too long to print."""
    return {key[:20]: [len(key), len(value)] for key, value in experiment.tags.items()}


def delete_and_restore(step, client, ids):
    """Deletes softly, looks at what still works, restores."""
    gone = step("create for deletion", lambda: client.create_experiment("gone"), kind="experiment")
    run = step("create a run in it", lambda: client.create_run(gone, start_time=1000, run_name="inside"))
    step("delete", lambda: client.delete_experiment(gone))
    step("get deleted", lambda: client.get_experiment(gone))
    step("get deleted by name", lambda: client.get_experiment_by_name("gone"))
    step("its run is deleted", lambda: client.get_run(run.info.run_id))
    step("delete twice", lambda: client.delete_experiment(gone))
    step("rename deleted", lambda: client.rename_experiment(gone, "gone two"))
    step("set a tag of a deleted one", lambda: client.set_experiment_tag(gone, "team", "x"))
    step("create a run in a deleted one", lambda: client.create_run(gone, start_time=1000))
    step("create with the name of a deleted one", lambda: client.create_experiment("gone"))
    step("rename to the name of a deleted one", lambda: client.rename_experiment(ids["alpha"], "gone"))
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
        step(
            f"search {view}",
            lambda view=view: names(client.search_experiments(view_type=getattr(ViewType, view))),
        )
    step("restore", lambda: client.restore_experiment(gone))
    step("get restored", lambda: client.get_experiment(gone))
    step("its run is restored", lambda: client.get_run(run.info.run_id))
    step("restore an active one", lambda: client.restore_experiment(gone))
    step("delete an unknown id", lambda: client.delete_experiment(UNKNOWN))
    step("restore an unknown id", lambda: client.restore_experiment(UNKNOWN))
    step("delete the default experiment", lambda: client.delete_experiment("0"))
    step("restore the default experiment", lambda: client.restore_experiment("0"))


def names(experiments):
    """Returns the names in order; the long ones cut."""
    return [experiment.name[:40] for experiment in experiments]


def search(step, client):
    """Orders of the search."""
    step("search everything", lambda: names(client.search_experiments()))
    for order in (
        ["name"],
        ["name ASC"],
        ["name DESC"],
        ["attribute.name asc"],
        ["attributes.name desc"],
        ["creation_time ASC"],
        ["creation_time DESC"],
        ["last_update_time ASC"],
        ["last_update_time DESC", "name"],
        ["experiment_id ASC"],
        ["experiment_id DESC"],
        ["`name` ASC"],
        [],
    ):
        step(
            f"order by {', '.join(order) or 'nothing'}",
            lambda order=order: names(client.search_experiments(order_by=order)),
        )


def search_filters(step, client):
    """Every operator of the filter."""
    filters = [
        "name = 'alpha'", 'name = "alpha"', "name != 'alpha'", "name LIKE 'a%'", "name LIKE '%A%'",
        "name ILIKE '%A%'", "name like 'a%'", "name ilike 'ALP_A'", "name LIKE 'gamma\\_100\\%'",
        "name LIKE 'gamma_100%'", "name LIKE '%δ%'", "name ILIKE '%Δ%'", "attribute.name = 'alpha'",
        "attributes.name = 'alpha'", "`name` = 'alpha'", "name IN ('alpha', 'Beta')", "name = ' padded '",
        "name = \"with 'quotes' \\\"double\\\"\"", "name LIKE '%quotes%'", "name = ''",
        "creation_time > 0", "creation_time >= 0", "creation_time < 0", "creation_time <= 1",
        "creation_time = 0", "creation_time != 0", "last_update_time > 0", "last_update_time < 1000",
        "tags.team = 'risk'", "tag.team = 'risk'", "tags.team != 'risk'", "tags.team LIKE '%r%'",
        "tags.team ILIKE '%R%'", "tags.`team` = 'risk'", 'tags."team" = "risk"', "tags.empty = ''",
        "tags.größe = 'χ'", "tags.missing = 'x'", "tags.missing != 'x'", "tags.team IS NULL",
        "tags.team IS NOT NULL", "tags.`mlflow.note.content` LIKE '%note%'",
        "tags.team = 'risk' AND name = 'tagged'", "tags.team = 'risk' and tags.stage = 'Draft'",
        "name LIKE 't%' AND tags.team = 'fraud'", "name LIKE '%' AND name != 'alpha' AND creation_time > 0", "",
    ]  # fmt: skip
    for text in filters:
        step(
            f"filter {text}",
            lambda text=text: names(client.search_experiments(filter_string=text, order_by=["name"])),
        )


def refuse_search(step, client):
    """Filters and orders outside of the grammar."""
    filters = [
        "name = alpha", "name", "name =", "= 'alpha'", "name == 'alpha'", "name = 'alpha' OR name = 'Beta'",
        "(name = 'alpha')", "NOT name = 'alpha'", "name > 'a'", "creation_time = 'x'", "creation_time LIKE '1'",
        "creation_time > 1.5", "metrics.a > 1", "params.a = 'b'", "color = 'red'", "attribute.color = 'red'",
        "tags.team > 'a'", "tags.team = 1", "tags = 'a'", "name = 'alpha' AND", "AND name = 'alpha'",
        "name = 'alpha' name = 'Beta'", "name = 'alpha", "name LIKE 5", "name IN ()", "experiment_id = '0'",
        "lifecycle_stage = 'active'", "'name' = 'alpha'", "name.x = 'a'", ";",
    ]  # fmt: skip
    for text in filters:
        step(f"bad filter {text}", lambda text=text: names(client.search_experiments(filter_string=text)))
    for order in (
        "color",
        "name UP",
        "tags.team",
        "name, creation_time",
        "name ASC DESC",
        "metrics.a",
        "",
        "1",
    ):
        step(f"bad order {order}", lambda order=order: names(client.search_experiments(order_by=[order])))
    step("order by a field twice", lambda: names(client.search_experiments(order_by=["name", "name DESC"])))


def pages(step, client):
    """Walks through pages of three."""

    def walk(**options):
        found, token = [], None
        for _ in range(20):
            page = client.search_experiments(max_results=3, page_token=token, **options)
            found.append(names(page))
            token = page.token
            if not token:
                return found
        return found

    step("pages", lambda: walk())
    step("pages by name", lambda: walk(order_by=["name"]))
    step("pages of a filter", lambda: walk(filter_string="name LIKE '%a%'", order_by=["name DESC"]))
    step("page with a bad token", lambda: names(client.search_experiments(page_token="not a token")))
    for size in (0, -1, 1, 50000, 50001):
        step(
            f"page of {size}",
            lambda size=size: len(client.search_experiments(max_results=size, order_by=["name"])),
        )


def fluent(step):
    """The functions of the module instead of the client."""
    import mlflow

    step("fluent set_experiment creates", lambda: mlflow.set_experiment("fluent"))
    step("fluent set_experiment finds", lambda: mlflow.set_experiment("fluent"))
    step("fluent set_experiment_tags", lambda: mlflow.set_experiment_tags({"a": "1", "b": "2"}))
    step("fluent get_experiment_by_name", lambda: mlflow.get_experiment_by_name("fluent"))
    step(
        "fluent search_experiments",
        lambda: names(mlflow.search_experiments(filter_string="name LIKE 'fl%'", max_results=5)),
    )
    step("fluent set_experiment of an unknown id", lambda: mlflow.set_experiment(experiment_id=UNKNOWN))
    step("experiment tag entity", lambda: ExperimentTag("key", "value"))
    step("fluent set_experiment of the default", lambda: mlflow.set_experiment(experiment_id="0"))
