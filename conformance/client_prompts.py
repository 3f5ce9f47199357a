"""Prompts, which are registered models with reserved tags."""

import mlflow


def run(script):
    """Runs the section, when the client knows prompts."""
    step, client = script.section("prompts"), script.client
    if not hasattr(client, "search_prompts"):
        return
    register(step, client)
    read(step, client)
    search(step, client)
    tags_and_aliases(step, client)
    beside_models(step, client)
    delete(step, client)


def described(prompt):
    """Returns what a prompt version says."""
    names = (
        "name",
        "version",
        "template",
        "commit_message",
        "tags",
        "aliases",
        "variables",
        "is_text_prompt",
        "uri",
    )
    return {name: getattr(prompt, name, None) for name in names} if prompt else None


def register(step, client):
    """Registers texts and chats."""
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "{{ question }}"}]
    step("register", lambda: described(client.register_prompt("greeting", "Hello {{ name }}!")))
    step(
        "register again",
        lambda: described(
            client.register_prompt("greeting", "Hi {{ name }}", commit_message="shorter", tags={"a": "1"})
        ),
    )
    step("register chat", lambda: described(client.register_prompt("talk", chat)))
    step("register long text", lambda: len(client.register_prompt("long", "x" * 50000).template))
    step("register longer text", lambda: len(client.register_prompt("longer", "x" * 100001).template))
    step(
        "register with format",
        lambda: described(client.register_prompt("formed", "{{ a }}", response_format={"type": "object"})),
    )
    for name in ("", "a/b", "a:b", "with space", None):
        step(f"register {name!r}", lambda name=name: described(client.register_prompt(name, "text")))
    step("register over a model", lambda: client.create_registered_model("plain-model"))
    step("register with the name of a model", lambda: client.register_prompt("plain-model", "text"))
    step("model with the name of a prompt", lambda: client.create_registered_model("greeting"))
    step(
        "fluent register",
        lambda: described(mlflow.genai.register_prompt(name="fluent-prompt", template="{{ x }}")),
    )


def read(step, client):
    """Loads prompts by version and by address."""
    step("load version", lambda: described(client.load_prompt("greeting", version=1)))
    step("load by uri", lambda: described(client.load_prompt("prompts:/greeting/2")))
    step("load latest", lambda: described(client.load_prompt("prompts:/greeting@latest")))
    step("load without a version", lambda: described(client.load_prompt("greeting")))
    step("load chat", lambda: described(client.load_prompt("talk", version=1)))
    step("load unknown", lambda: client.load_prompt("nobody", version=1))
    step("load unknown, allowed", lambda: client.load_prompt("nobody", version=1, allow_missing=True))
    step("load unknown version", lambda: client.load_prompt("greeting", version=99))
    step("load a model", lambda: client.load_prompt("plain-model", version=1))
    step("format", lambda: client.load_prompt("greeting", version=1).format(name="Ada"))
    step("get prompt", lambda: client.get_prompt("greeting"))
    step("get unknown prompt", lambda: client.get_prompt("nobody"))
    step("get version", lambda: described(client.get_prompt_version("greeting", 1)))
    step("get unknown version", lambda: client.get_prompt_version("greeting", 99))


def search(step, client):
    """Searches, with prompts apart from models."""

    def names(*arguments, **options):
        return [found.name for found in client.search_prompts(*arguments, **options)]

    step("search", names)
    step("search by name", lambda: names("name = 'greeting'"))
    step("search by pattern", lambda: names("name LIKE '%ee%'"))
    step("search by tag", lambda: names("tags.team = 'x'"))
    step("search with a bad filter", lambda: names("color = 'red'"))
    step("search one", lambda: names(max_results=1))
    step("search versions", lambda: client.search_prompt_versions("greeting"))
    step(
        "models without prompts",
        lambda: "greeting" in [m.name for m in client.search_registered_models(max_results=1000)],
    )
    step(
        "versions without prompts",
        lambda: [v.version for v in client.search_model_versions("name = 'greeting'")],
    )
    for tag in ("tags.`mlflow.prompt.is_prompt` = 'true'", "tags.`mlflow.prompt.is_prompt` != 'true'"):
        step(
            f"models by {tag}", lambda tag=tag: [found.name for found in client.search_registered_models(tag)]
        )
        step(
            f"versions by {tag}",
            lambda tag=tag: [f"{found.name} {found.version}" for found in client.search_model_versions(tag)],
        )
    step("prompt as model", lambda: client.get_registered_model("greeting"))
    step("prompt as version", lambda: client.get_model_version("greeting", "1"))


def tags_and_aliases(step, client):
    """Tags and aliases."""
    step("set tag", lambda: client.set_prompt_tag("greeting", "team", "support"))
    step("set version tag", lambda: client.set_prompt_version_tag("greeting", 1, "checked", "yes"))
    step("get tagged", lambda: client.get_prompt("greeting"))
    step("get tagged version", lambda: described(client.get_prompt_version("greeting", 1)))
    step(
        "search by set tag", lambda: [found.name for found in client.search_prompts("tags.team = 'support'")]
    )
    step("delete tag", lambda: client.delete_prompt_tag("greeting", "team"))
    step("delete version tag", lambda: client.delete_prompt_version_tag("greeting", 1, "checked"))
    step("set tag of unknown", lambda: client.set_prompt_tag("nobody", "a", "b"))
    step("set alias", lambda: client.set_prompt_alias("greeting", "production", 1))
    step("load by alias", lambda: described(client.load_prompt("prompts:/greeting@production")))
    step("get by alias", lambda: described(client.get_prompt_version_by_alias("greeting", "production")))
    step("move alias", lambda: client.set_prompt_alias("greeting", "production", 2))
    step("load by moved alias", lambda: described(client.load_prompt("prompts:/greeting@production")))
    step("set reserved alias", lambda: client.set_prompt_alias("greeting", "latest", 1))
    step("set alias of unknown version", lambda: client.set_prompt_alias("greeting", "lost", 99))
    step("delete alias", lambda: client.delete_prompt_alias("greeting", "production"))
    step("load by deleted alias", lambda: client.load_prompt("prompts:/greeting@production"))


def beside_models(step, client):
    """Links of prompts with runs."""
    run_id = step("create run", lambda: client.create_run("0", 1000, run_name="prompt run").info.run_id)
    step("link to run", lambda: client.link_prompt_version_to_run(run_id, "prompts:/greeting/1"))
    step("tags of the run", lambda: client.get_run(run_id).data.tags)
    step("prompts of the run", lambda: [described(found) for found in client.list_logged_prompts(run_id)])


def delete(step, client):
    """Deletes versions and prompts."""
    step("delete version", lambda: client.delete_prompt_version("greeting", "1"))
    step("delete version twice", lambda: client.delete_prompt_version("greeting", "1"))
    step("load deleted version", lambda: client.load_prompt("greeting", version=1))
    step("delete prompt", lambda: client.delete_prompt("talk"))
    step("get deleted prompt", lambda: client.get_prompt("talk"))
    step("delete unknown prompt", lambda: client.delete_prompt("nobody"))
