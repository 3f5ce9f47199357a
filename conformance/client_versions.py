"""Model versions: create, read, describe, tags, aliases, stages, latest, search, copy, delete."""

from transcript import label

UNKNOWN = "nobody"
NAME = "versions"
BAD_ALIASES = [
    "latest",
    "LATEST",
    "v1",
    "V12",
    "",
    " ",
    "a b",
    "a/b",
    "a@b",
    "a.b",
    "1",
    "ü",
    "a" * 255,
    "a" * 256,
    None,
]


def run(script):
    """Runs the section."""
    step, client = script.section("versions"), script.client
    experiment = step("create experiment", lambda: client.create_experiment("versions"), kind="experiment")
    run_id = step(
        "create run", lambda: client.create_run(experiment, 1000, run_name="versions run").info.run_id
    )
    source = step("upload a model", lambda: upload(client, run_id))
    step("create model", lambda: client.create_registered_model(NAME))
    create(step, client, source, run_id)
    refuse_creation(step, client, source, run_id)
    read(step, client)
    update_and_tags(step, client)
    aliases(step, client)
    stages(step, client, source, run_id)
    search(step, client, source, run_id)
    pages(step, client)
    copy(step, client)
    delete(step, client, source, run_id)
    rename_with_versions(step, client)


def upload(client, run_id):
    """Puts files that look like a model into a run, and returns where they lie."""
    client.log_text(run_id, "artifact_path: model\nflavors: {}\n", "model/MLmodel")
    client.log_text(run_id, "weights", "model/data/weights.txt")
    return f"{client.get_run(run_id).info.artifact_uri}/model"


def create(step, client, source, run_id):
    """Creates versions in the usual ways."""
    step("create from a run", lambda: client.create_model_version(NAME, source, run_id))
    step("create from a runs uri", lambda: client.create_model_version(NAME, f"runs:/{run_id}/model", run_id))
    step(
        "create with everything",
        lambda: client.create_model_version(
            NAME,
            source,
            run_id,
            tags={"a": "1", "empty": ""},
            run_link="http://example.com/run",
            description="third",
        ),
    )
    step("create from a version", lambda: client.create_model_version(NAME, f"models:/{NAME}/1"))
    step("create without a run", lambda: client.create_model_version(NAME, source))
    step("create from a directory below", lambda: client.create_model_version(NAME, source + "/data", run_id))


def refuse_creation(step, client, source, run_id):
    """Versions that no server should make."""
    step("create of an unknown model", lambda: client.create_model_version(UNKNOWN, source, run_id))
    step("create with an empty name", lambda: client.create_model_version("", source, run_id))
    step("create with an empty source", lambda: client.create_model_version(NAME, "", run_id))
    step("create of an unknown run", lambda: client.create_model_version(NAME, source, "0" * 32))
    sources = [
        "file:///etc", "/etc", "mlflow-artifacts:/../x", "mlflow-artifacts:/elsewhere/model",
        "s3://bucket/model", "http://example.com/model", "models:/nobody/1", "models:/versions/99",
        "mlflow-artifacts:/a#b", "mlflow-artifacts:/a?b=c", "runs:/" + "0" * 32 + "/model",
    ]  # fmt: skip
    for place in sources:
        step(f"create from {place}", lambda place=place: client.create_model_version(NAME, place, run_id))
        step(
            f"create from {place} without a run", lambda place=place: client.create_model_version(NAME, place)
        )


def read(step, client):
    """Reads versions."""
    for version in ("1", 1, "3", "4", "99", "0", "-1", "abc", "1.0", ""):
        step(f"get {version!r}", lambda version=version: client.get_model_version(NAME, version))
    step("get of an unknown model", lambda: client.get_model_version(UNKNOWN, "1"))
    for version in ("1", "2", "4", "99"):
        step(
            f"download uri of {version}",
            lambda version=version: client.get_model_version_download_uri(NAME, version),
        )
    step("model with versions", lambda: client.get_registered_model(NAME))
    step("stages of a version", lambda: client.get_model_version_stages(NAME, "1"))


def update_and_tags(step, client):
    """Descriptions and tags."""
    step("describe", lambda: client.update_model_version(NAME, "1", "first *version*"))
    step("describe with nothing", lambda: client.update_model_version(NAME, "1", ""))
    step("describe with none", lambda: client.update_model_version(NAME, "1", None))
    step("describe unknown", lambda: client.update_model_version(NAME, "99", "x"))
    step("set tag", lambda: client.set_model_version_tag(NAME, "1", "checked", "yes"))
    step("set tag again", lambda: client.set_model_version_tag(NAME, "1", "checked", "No"))
    step("set number tag", lambda: client.set_model_version_tag(NAME, 1, "number", 5))
    step("set empty tag", lambda: client.set_model_version_tag(NAME, "1", "empty", ""))
    step("set tag with an empty key", lambda: client.set_model_version_tag(NAME, "1", "", "x"))
    step("set tag with a long key", lambda: client.set_model_version_tag(NAME, "1", "k" * 251, "x"))
    step("set a tag of 100001", lambda: client.set_model_version_tag(NAME, "2", "longer", "v" * 100001))
    step("set a tag of 100000", lambda: client.set_model_version_tag(NAME, "2", "long", "v" * 100000))
    step("length of the long tag", lambda: len(client.get_model_version(NAME, "2").tags["long"]))
    step("delete the long tag", lambda: client.delete_model_version_tag(NAME, "2", "long"))
    step("set tag of unknown", lambda: client.set_model_version_tag(NAME, "99", "a", "b"))
    step("delete tag", lambda: client.delete_model_version_tag(NAME, "1", "number"))
    step("delete tag twice", lambda: client.delete_model_version_tag(NAME, "1", "number"))
    step("delete tag of unknown", lambda: client.delete_model_version_tag(NAME, "99", "number"))
    step("set tag without a version", lambda: client.set_model_version_tag(NAME, None, "a", "b"))
    step("get updated", lambda: client.get_model_version(NAME, "1"))


def aliases(step, client):
    """Aliases, the reserved ones included."""
    step("set alias", lambda: client.set_registered_model_alias(NAME, "champion", "1"))
    step("set second alias", lambda: client.set_registered_model_alias(NAME, "Other-alias_2", 1))
    step("get by alias", lambda: client.get_model_version_by_alias(NAME, "champion"))
    step(
        "get by alias in another letter case",
        lambda: client.get_model_version_by_alias(NAME, "CHAMPION").version,
    )
    step("move alias", lambda: client.set_registered_model_alias(NAME, "champion", "2"))
    step("get by moved alias", lambda: client.get_model_version_by_alias(NAME, "champion").version)
    step("aliases of the model", lambda: client.get_registered_model(NAME).aliases)
    step("aliases of version 1", lambda: client.get_model_version(NAME, "1").aliases)
    step("aliases of version 2", lambda: client.get_model_version(NAME, "2").aliases)
    step("get by latest", lambda: client.get_model_version_by_alias(NAME, "latest").version)
    step("get by unknown alias", lambda: client.get_model_version_by_alias(NAME, "nothing"))
    step("get by alias of an unknown model", lambda: client.get_model_version_by_alias(UNKNOWN, "champion"))
    step("get by empty alias", lambda: client.get_model_version_by_alias(NAME, ""))
    for alias in BAD_ALIASES:
        step(
            f"set alias {label(alias)}",
            lambda alias=alias: client.set_registered_model_alias(NAME, alias, "3"),
        )
    step("alias of an unknown version", lambda: client.set_registered_model_alias(NAME, "lost", "99"))
    step("alias of an unknown model", lambda: client.set_registered_model_alias(UNKNOWN, "lost", "1"))
    step("delete alias", lambda: client.delete_registered_model_alias(NAME, "Other-alias_2"))
    step("delete alias twice", lambda: client.delete_registered_model_alias(NAME, "Other-alias_2"))
    step("delete reserved alias", lambda: client.delete_registered_model_alias(NAME, "latest"))
    step("delete alias of an unknown model", lambda: client.delete_registered_model_alias(UNKNOWN, "x"))
    step("aliases at the end", lambda: sorted(client.get_registered_model(NAME).aliases))


def stages(step, client, source, run_id):
    """Stages and the archive."""
    step("latest before stages", lambda: latest(client))
    moves = [("1", "Staging"), ("2", "production"), ("3", "PRODUCTION"), ("4", "Archived"), ("1", "None")]
    for version, stage in moves:
        step(
            f"move {version} to {stage}",
            lambda v=version, s=stage: client.transition_model_version_stage(NAME, v, s),
        )
    step("latest after moves", lambda: latest(client))
    step("archive the others", lambda: client.transition_model_version_stage(NAME, "1", "Production", True))
    step("stages after archive", lambda: current_stages(client))
    step("archive into None", lambda: client.transition_model_version_stage(NAME, "1", "None", True))
    step("archive into Archived", lambda: client.transition_model_version_stage(NAME, "1", "Archived", True))
    step("move to an unknown stage", lambda: client.transition_model_version_stage(NAME, "1", "Testing"))
    step("move to an empty stage", lambda: client.transition_model_version_stage(NAME, "1", ""))
    step(
        "move to the deleted stage",
        lambda: client.transition_model_version_stage(NAME, "1", "Deleted_Internal"),
    )
    step("move unknown", lambda: client.transition_model_version_stage(NAME, "99", "Staging"))
    step("move 2 to Staging", lambda: client.transition_model_version_stage(NAME, "2", "Staging"))
    step("move 3 to Production", lambda: client.transition_model_version_stage(NAME, "3", "Production"))
    for asked in (["Production"], ["staging", "Production"], ["None"], ["Archived"], [], ["Testing"]):
        step(f"latest of {asked}", lambda asked=asked: latest(client, asked))
    step("latest of an unknown model", lambda: client.get_latest_versions(UNKNOWN))
    step("model with stages", lambda: client.get_registered_model(NAME))


def latest(client, stages=None):
    """Returns version and stage of the latest versions, sorted by stage, as the API gives no order."""
    found = client.get_latest_versions(NAME, stages)
    return sorted([version.current_stage, version.version] for version in found)


def current_stages(client):
    """Returns the stage of each version."""
    return {
        version.version: version.current_stage for version in client.search_model_versions(f"name = '{NAME}'")
    }


def found_versions(client, *arguments, **options):
    """Returns name and version of what was found."""
    return [
        f"{version.name} {version.version}" for version in client.search_model_versions(*arguments, **options)
    ]


def search(step, client, source, run_id):
    """Every operator and order."""
    step("create second model", lambda: client.create_registered_model("Versions two"))
    for number in (1, 2):
        step(
            f"create second version {number}",
            lambda number=number: client.create_model_version(
                "Versions two", source, run_id, tags={"n": str(number)}
            ),
        )
    filters = [
        "", "name = 'versions'", "name != 'versions'", "name LIKE 'vers%'", "name ILIKE 'VERS%'",
        "name IN ('versions', 'Versions two')", "name = 'nobody'", f"run_id = '{run_id}'", f"run_id IN ('{run_id}')",
        f"run_id IN ('{run_id}', 'x')", "run_id = ''", "run_id != 'x'", f"source_path = '{source}'",
        "source_path LIKE '%model'", "source_path ILIKE '%MODEL'", "source_path != 'x'", "version_number = 1",
        "version_number != 1", "version_number > 1", "version_number >= 2", "version_number < 3", "version_number <= 2",
        "version_number = '1'", "tags.checked = 'No'", "tag.checked = 'No'", "tags.checked != 'No'",
        "tags.checked LIKE 'N%'", "tags.checked ILIKE 'n%'", "tags.`checked` = 'No'", 'tags."a" = "1"',
        "tags.missing = 'x'", "tags.a IS NULL", "tags.a IS NOT NULL", "name = 'versions' AND tags.a = '1'",
        "name = 'versions' and version_number > 1 AND tags.a = '1'", "attribute.name = 'versions'",
        "attributes.version_number = 1",
    ]  # fmt: skip
    for text in filters:
        step(
            f"filter {text.replace(source or '?', 'SOURCE').replace(run_id or '?', 'RUN')}",
            lambda text=text: found_versions(client, text),
        )
    bad = [
        "name", "name = versions", "name > 'a'", "color = 'red'", "run_id LIKE 'x'", "run_id IN ()", "run_id IN (1)",
        "version_number = 'x'", "version_number LIKE '1'", "version_number IN (1, 2)", "current_stage = 'Production'",
        "aliases = 'champion'", "tags.a > '1'", "tags.a IN ('1')", "name = 'a' OR name = 'b'", "name = 'a", "source = 'x'",
    ]  # fmt: skip
    for text in bad:
        step(f"bad filter {text}", lambda text=text: found_versions(client, text))
    orders = [
        ["name"], ["name DESC"], ["version_number"], ["version_number DESC"], ["name DESC", "version_number ASC"],
        ["creation_timestamp ASC"], ["creation_timestamp DESC"], ["last_updated_timestamp"],
        ["last_updated_timestamp DESC"], ["run_id", "version_number"], ["attributes.name"], [],
    ]  # fmt: skip
    for order in orders:
        step(
            f"order {order}", lambda order=order: found_versions(client, "name ILIKE 'vers%'", order_by=order)
        )
    for order in ("color", "version", "tags.a", "name UP", "source_path", ""):
        step(f"bad order {order}", lambda order=order: found_versions(client, order_by=[order]))
    step("search entities", lambda: client.search_model_versions("name = 'Versions two'"))


def pages(step, client):
    """Walks through pages of three."""

    def walk(**options):
        found, token = [], None
        for _ in range(20):
            page = client.search_model_versions(
                "name ILIKE 'vers%'", max_results=3, page_token=token, **options
            )
            found.append([f"{version.name} {version.version}" for version in page])
            token = page.token
            if not token:
                break
        return found

    step("pages", walk)
    step("pages by number", lambda: walk(order_by=["version_number DESC", "name"]))
    step("page with a bad token", lambda: found_versions(client, "", page_token="not a token"))
    for size in (0, -1, 1, 200000, 200001):
        step(
            f"page of {size}",
            lambda size=size: len(client.search_model_versions("name ILIKE 'vers%'", max_results=size)),
        )


def copy(step, client):
    """Copies between models."""
    step("copy to a new model", lambda: client.copy_model_version(f"models:/{NAME}/1", "copied"))
    step("copy by alias", lambda: client.copy_model_version(f"models:/{NAME}@champion", "copied"))
    step("copied model", lambda: client.get_registered_model("copied"))
    step("copy of a copy", lambda: client.copy_model_version("models:/copied/1", "copied again"))
    step("download uri of a copy", lambda: client.get_model_version_download_uri("copied again", "1"))
    step("copy an unknown version", lambda: client.copy_model_version(f"models:/{NAME}/99", "copied"))
    step("copy of no models uri", lambda: client.copy_model_version("runs:/a/b", "copied"))


def delete(step, client, source, run_id):
    """Deletes versions; numbers are not used again."""
    last = step("create last", lambda: client.create_model_version(NAME, source, run_id))
    number = last.version if last else "0"
    step("alias the last", lambda: client.set_registered_model_alias(NAME, "short-lived", number))
    step("delete last", lambda: client.delete_model_version(NAME, number))
    step("get deleted", lambda: client.get_model_version(NAME, number))
    step("get deleted by alias", lambda: client.get_model_version_by_alias(NAME, "short-lived"))
    step("delete twice", lambda: client.delete_model_version(NAME, number))
    step("describe deleted", lambda: client.update_model_version(NAME, number, "x"))
    step("set tag of deleted", lambda: client.set_model_version_tag(NAME, number, "a", "b"))
    step("move deleted", lambda: client.transition_model_version_stage(NAME, number, "Staging"))
    step("download uri of deleted", lambda: client.get_model_version_download_uri(NAME, number))
    step("latest without deleted", lambda: latest(client))
    step("search without deleted", lambda: found_versions(client, f"name = '{NAME}'"))
    step("number after deletion", lambda: client.create_model_version(NAME, source, run_id).version)
    step("delete unknown", lambda: client.delete_model_version(NAME, "99"))
    step("delete of an unknown model", lambda: client.delete_model_version(UNKNOWN, "1"))
    step("delete model with versions", lambda: client.delete_registered_model("Versions two"))
    step("versions of a deleted model", lambda: found_versions(client, "name = 'Versions two'"))
    step("create deleted model again", lambda: client.create_registered_model("Versions two"))
    step("numbers start again", lambda: client.create_model_version("Versions two", source, run_id).version)


def rename_with_versions(step, client):
    """A new name carries versions, tags and aliases."""
    step("rename", lambda: client.rename_registered_model(NAME, "versions renamed"))
    step("get renamed", lambda: client.get_registered_model("versions renamed"))
    step("versions renamed", lambda: found_versions(client, "name = 'versions renamed'"))
    step("alias renamed", lambda: client.get_model_version_by_alias("versions renamed", "champion").version)
    step("versions of the old name", lambda: found_versions(client, f"name = '{NAME}'"))
    step("copy of a renamed model", lambda: client.get_model_version_download_uri("copied", "1"))
