"""Registered models: create, read, rename, describe, tags, aliases, search, delete."""

from transcript import label

NAMES = ["churn", "Churn two", "scoring.v1", "δέντρο", "with 'quote'", "percent%", "under_score", "x" * 256]
BAD_NAMES = ["", "   ", "a/b", "a:b", "..", ".", "../a", "/", None, 12, "x" * 257]
UNKNOWN = "nobody"


def run(script):
    """Runs the section."""
    step, client = script.section("registry"), script.client
    step("search nothing", lambda: client.search_registered_models())
    create(step, client)
    read(step, client)
    update(step, client)
    tags(step, client)
    rename(step, client)
    search(step, client)
    refuse_search(step, client)
    pages(step, client)
    delete(step, client)


def create(step, client):
    """Creates models with and without options."""
    for name in NAMES:
        step(f"create {name[:40]}", lambda name=name: client.create_registered_model(name))
    step(
        "create with tags and description",
        lambda: client.create_registered_model("fraud", {"team": "risk", "empty": ""}, "Finds *fraud*"),
    )
    step("create with an empty description", lambda: client.create_registered_model("plain", {}, ""))
    step("create twice", lambda: client.create_registered_model("churn"))
    step("create in another letter case", lambda: client.create_registered_model("CHURN"))
    for name in BAD_NAMES:
        step(f"create {label(name)}", lambda name=name: client.create_registered_model(name))
    step("create with a bad tag", lambda: client.create_registered_model("bad tag", {"a" * 251: "1"}))
    step(
        "create with a tag value of 5000",
        lambda: client.create_registered_model("long tag", {"a": "v" * 5000}),
    )
    step(
        "create with a description of 5000",
        lambda: client.create_registered_model("long text", None, "d" * 5000),
    )
    step(
        "create with a description of 5001",
        lambda: client.create_registered_model("longer text", None, "d" * 5001),
    )


def read(step, client):
    """Reads models."""
    for name in (*NAMES, "fraud", "plain"):
        step(f"get {name[:40]}", lambda name=name: client.get_registered_model(name))
    step("get unknown", lambda: client.get_registered_model(UNKNOWN))
    step("get empty", lambda: client.get_registered_model(""))
    step("get a/b", lambda: client.get_registered_model("a/b"))


def update(step, client):
    """Descriptions."""
    step("describe", lambda: client.update_registered_model("churn", "Who leaves?"))
    step(
        "describe again", lambda: client.update_registered_model("churn", "Who leaves, and *why*?\nLine two.")
    )
    step("describe with nothing", lambda: client.update_registered_model("churn", ""))
    step("describe with none", lambda: client.update_registered_model("churn", None))
    step("describe without an argument", lambda: client.update_registered_model("churn"))
    step("get described", lambda: client.get_registered_model("churn"))
    step("describe unknown", lambda: client.update_registered_model(UNKNOWN, "x"))


def tags(step, client):
    """Tags of models."""
    step("set tag", lambda: client.set_registered_model_tag("churn", "team", "sales"))
    step("set tag again", lambda: client.set_registered_model_tag("churn", "team", "Sales"))
    step("set empty tag", lambda: client.set_registered_model_tag("churn", "empty", ""))
    step("set number tag", lambda: client.set_registered_model_tag("churn", "number", 5))
    step("set unicode tag", lambda: client.set_registered_model_tag("churn", "größe", "日本"))
    step("set spaced tag", lambda: client.set_registered_model_tag("churn", "a b/c.d", "x"))
    step("get tagged", lambda: client.get_registered_model("churn"))
    for key in ("", None, "a=b", "../a", "k" * 250, "k" * 251):
        step(
            f"set tag with key {label(key)}",
            lambda key=key: client.set_registered_model_tag("churn", key, "v"),
        )
    for length in (5000, 5001, 100000, 100001):
        step(
            f"set tag of {length}",
            lambda length=length: client.set_registered_model_tag("plain", f"v{length}", "v" * length),
        )
    step(
        "lengths of tags",
        lambda: {key: len(value) for key, value in client.get_registered_model("plain").tags.items()},
    )
    step("set tag of unknown", lambda: client.set_registered_model_tag(UNKNOWN, "a", "b"))
    step("delete tag", lambda: client.delete_registered_model_tag("churn", "number"))
    step("delete tag twice", lambda: client.delete_registered_model_tag("churn", "number"))
    step("delete tag of unknown", lambda: client.delete_registered_model_tag(UNKNOWN, "a"))
    step("tags at the end", lambda: sorted(client.get_registered_model("churn").tags))


def rename(step, client):
    """Renames models."""
    step("rename", lambda: client.rename_registered_model("plain", "plainer"))
    step("get by the old name", lambda: client.get_registered_model("plain"))
    step("get by the new name", lambda: client.get_registered_model("plainer").name)
    step("rename to its own name", lambda: client.rename_registered_model("plainer", "plainer"))
    step("rename to a taken name", lambda: client.rename_registered_model("plainer", "churn"))
    step("rename to an empty name", lambda: client.rename_registered_model("plainer", ""))
    step("rename to a blank name", lambda: client.rename_registered_model("plainer", "  "))
    step("rename to a name with a slash", lambda: client.rename_registered_model("plainer", "a/b"))
    step("rename to a name with a colon", lambda: client.rename_registered_model("plainer", "a:b"))
    step("rename unknown", lambda: client.rename_registered_model(UNKNOWN, "x"))
    step("reuse the old name", lambda: client.create_registered_model("plain"))


def found_names(client, *arguments, **options):
    """Returns names in order, the long ones cut."""
    return [model.name[:40] for model in client.search_registered_models(*arguments, **options)]


def search(step, client):
    """Every operator and order."""
    filters = [
        "", "name = 'churn'", 'name = "churn"', "name != 'churn'", "name LIKE 'ch%'", "name LIKE '%u%'",
        "name ILIKE 'CH%'", "name ilike '%TWO'", "name LIKE 'percent\\%'", "name LIKE 'under_score'",
        "name LIKE '%δ%'", "name = \"with 'quote'\"", "`name` = 'churn'", "tags.team = 'risk'", "tag.team = 'risk'",
        "tags.team != 'risk'", "tags.team LIKE '%s%'", "tags.team ILIKE '%S%'", "tags.`team` = 'Sales'",
        "tags.\"a b/c.d\" = 'x'", "tags.`a b/c.d` = 'x'", "tags.empty = ''", "tags.missing = 'x'",
        "tags.missing != 'x'", "tags.team IS NULL", "tags.team IS NOT NULL",
        "name LIKE '%' AND tags.team = 'risk'", "name LIKE 'f%' and tags.team = 'risk' AND tags.empty = ''",
        "name = 'nobody'", "attribute.name = 'churn'", "attributes.name = 'churn'", "name IN ('churn', 'fraud')",
    ]  # fmt: skip
    for text in filters:
        step(f"filter {text}", lambda text=text: found_names(client, text))
    orders = [
        ["name"], ["name ASC"], ["name DESC"], ["timestamp"], ["timestamp DESC"], ["last_updated_timestamp ASC"],
        ["last_updated_timestamp DESC"], ["creation_timestamp ASC"], ["creation_timestamp DESC", "name"],
        ["attribute.name DESC"], ["`name` DESC"], [],
    ]  # fmt: skip
    for order in orders:
        step(f"order {order}", lambda order=order: found_names(client, order_by=order))
    step("search entities", lambda: client.search_registered_models("name LIKE 'ch%'"))


def refuse_search(step, client):
    """Filters and orders outside of the grammar."""
    filters = [
        "name", "name =", "name = churn", "name > 'a'", "name == 'a'", "name = 'a' OR name = 'b'", "(name = 'a')",
        "color = 'red'", "description = 'x'", "tags.team > 'a'", "tags.team = 1", "creation_timestamp > 5",
        "aliases.a = '1'", "name = 'a' AND", "name = 'a", "metrics.a > 1", "tags.team IN ('a')", "run_id = 'x'", ";",
    ]  # fmt: skip
    for text in filters:
        step(f"bad filter {text}", lambda text=text: found_names(client, text))
    for order in ("color", "name UP", "tags.team", "name, timestamp", "", "description"):
        step(f"bad order {order}", lambda order=order: found_names(client, order_by=[order]))
    step("order by name twice", lambda: found_names(client, order_by=["name", "name DESC"]))


def pages(step, client):
    """Walks through pages of four."""

    def walk(**options):
        found, token = [], None
        for _ in range(20):
            page = client.search_registered_models(max_results=4, page_token=token, **options)
            found.append([model.name[:40] for model in page])
            token = page.token
            if not token:
                break
        return found

    step("pages", walk)
    step("pages backwards", lambda: walk(order_by=["name DESC"]))
    step("pages of a filter", lambda: walk(filter_string="name LIKE '%r%'"))
    step("page with a bad token", lambda: found_names(client, page_token="not a token"))
    for size in (0, -1, 1, 1000, 1001):
        step(f"page of {size}", lambda size=size: len(client.search_registered_models(max_results=size)))


def delete(step, client):
    """Deletes models for good."""
    step("delete", lambda: client.delete_registered_model("plainer"))
    step("get deleted", lambda: client.get_registered_model("plainer"))
    step("delete twice", lambda: client.delete_registered_model("plainer"))
    step("delete unknown", lambda: client.delete_registered_model(UNKNOWN))
    step("rename deleted", lambda: client.rename_registered_model("plainer", "x"))
    step("set tag of deleted", lambda: client.set_registered_model_tag("plainer", "a", "b"))
    step("create again", lambda: client.create_registered_model("plainer"))
    step("created again is empty", lambda: client.get_registered_model("plainer"))
