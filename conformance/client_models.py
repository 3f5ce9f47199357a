"""Models of the flavors: log, register, load by every kind of address, predict."""

import mlflow
import numpy
from mlflow.models import infer_signature

# Given explicitly, so that the client does not start a process to find them out.
REQUIREMENTS = ["scikit-learn", "lightgbm"]


def run(script):
    """Runs the section."""
    step, client = script.section("models"), script.client
    step("set experiment", lambda: mlflow.set_experiment("models"))
    sklearn_model(step, client, script)
    lightgbm_model(step, client, script)
    pyfunc_model(step, client, script)
    loading(step, client)
    metadata(step, client)
    refusals(step, client)
    if script.major >= 3:
        log_without_run(step, client)
        active_model(step, client)


def data():
    """Returns a small table with two classes that a line cannot part."""
    generator = numpy.random.RandomState(0)
    rows = generator.rand(60, 3)
    return rows, (rows[:, 0] + rows[:, 1] ** 2 > 0.8).astype(int)


def name_option(script, name):
    """Returns the argument that names a model, which changed its own name in version 3."""
    return {"name": name} if script.major >= 3 else {"artifact_path": name}


def described(info):
    """Returns what is stable of a ModelInfo."""
    signature = info.signature.to_dict() if info.signature else None
    fields = (
        "artifact_path",
        "model_uri",
        "registered_model_version",
        "run_id",
        "model_id",
        "name",
        "params",
        "tags",
    )
    return {"flavors": sorted(info.flavors), "signature": signature} | {
        field: getattr(info, field, None) for field in fields
    }


def files(client, run_id, model_id=None):
    """Lists the files of the model."""
    if model_id:
        return client.list_logged_model_artifacts(model_id)
    return client.list_artifacts(run_id, "model")


def sklearn_model(step, client, script):
    """A model of scikit-learn, logged, registered and loaded."""
    from sklearn.tree import DecisionTreeClassifier

    rows, classes = data()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(rows, classes)

    def logged():
        with mlflow.start_run(run_name="sklearn run"):
            mlflow.log_param("max_depth", 3)
            info = mlflow.sklearn.log_model(
                tree,
                **name_option(script, "model"),
                signature=infer_signature(rows, tree.predict(rows)),
                input_example=rows[:2],
                registered_model_name="tree",
                serialization_format="cloudpickle",
                pip_requirements=REQUIREMENTS,
            )
            mlflow.log_metric("accuracy", float((tree.predict(rows) == classes).mean()))
        return info

    info = step("log sklearn", lambda: described(logged()))
    run_id, model_id = (info["run_id"], info["model_id"]) if info else ("", None)
    if script.major < 3:
        model_id = None
    step("sklearn files", lambda: files(client, run_id, model_id))
    step("sklearn run", lambda: without_history(client.get_run(run_id)))
    step("sklearn registered", lambda: client.get_registered_model("tree"))
    step("sklearn version", lambda: client.get_model_version("tree", "1"))
    step("sklearn load", lambda: type(mlflow.sklearn.load_model("models:/tree/1")).__name__)
    step("sklearn predict", lambda: mlflow.sklearn.load_model("models:/tree/1").predict(rows[:8]))
    step(
        "sklearn predict by runs uri",
        lambda: mlflow.pyfunc.load_model(f"runs:/{run_id}/model").predict(rows[:8]),
    )
    step(
        "sklearn register again",
        lambda: mlflow.register_model(f"runs:/{run_id}/model", "tree", tags={"n": "2"}),
    )
    step(
        "sklearn register under a new name",
        lambda: mlflow.register_model(f"runs:/{run_id}/model", "tree two"),
    )
    if model_id:
        step("sklearn logged model", lambda: client.get_logged_model(model_id))
        step(
            "sklearn predict by id", lambda: mlflow.pyfunc.load_model(f"models:/{model_id}").predict(rows[:8])
        )
        step("sklearn register by id", lambda: mlflow.register_model(f"models:/{model_id}", "tree"))
        step(
            "sklearn fluent search",
            lambda: mlflow.search_logged_models(output_format="list", filter_string="name = 'model'"),
        )


def without_history(run):
    """Returns a run; the tag of version 2 with the history of models is parsed and cut to stable fields."""
    import json

    history = run.data.tags.get("mlflow.log-model.history")
    if history:
        run.data.tags["mlflow.log-model.history"] = [
            {key: entry.get(key) for key in ("artifact_path", "run_id", "signature", "model_uuid")}
            for entry in json.loads(history)
        ]
    return run


def lightgbm_model(step, client, script):
    """A model of LightGBM."""
    import lightgbm

    rows, classes = data()
    parameters = {
        "objective": "binary",
        "num_threads": 1,
        "verbose": -1,
        "seed": 0,
        "deterministic": True,
        "min_data_in_leaf": 5,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, classes), num_boost_round=3)

    def logged():
        with mlflow.start_run(run_name="lightgbm run"):
            return mlflow.lightgbm.log_model(
                booster,
                **name_option(script, "model"),
                signature=infer_signature(rows, booster.predict(rows)),
                registered_model_name="boosted",
                pip_requirements=REQUIREMENTS,
            )

    step("log lightgbm", lambda: described(logged()))
    step("lightgbm version", lambda: client.get_model_version("boosted", "1"))
    step("lightgbm load", lambda: type(mlflow.lightgbm.load_model("models:/boosted/1")).__name__)
    step(
        "lightgbm predict",
        lambda: mlflow.lightgbm.load_model("models:/boosted/1").predict(rows[:4]),
        digits=6,
    )
    step(
        "lightgbm predicts as before",
        lambda: bool(
            (mlflow.pyfunc.load_model("models:/boosted/1").predict(rows) == booster.predict(rows)).all()
        ),
    )


def pyfunc_model(step, client, script):
    """A model made of Python code, with an artifact beside it."""
    place = script.new_directory("pyfunc")
    (place / "offset.txt").write_text("10", encoding="utf-8")

    class Adding(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            with open(context.artifacts["offset"], encoding="utf-8") as file:
                self.offset = int(file.read())

        def predict(self, context, model_input, params=None):
            return model_input + self.offset

    def logged():
        with mlflow.start_run(run_name="pyfunc run"):
            return mlflow.pyfunc.log_model(
                **name_option(script, "model"),
                python_model=Adding(),
                artifacts={"offset": str(place / "offset.txt")},
                registered_model_name="adding",
                pip_requirements=["cloudpickle"],
            )

    step("log pyfunc", lambda: described(logged()))
    step("pyfunc predict", lambda: mlflow.pyfunc.load_model("models:/adding/1").predict(numpy.array([1, 2])))


def loading(step, client):
    """Every address that a registered model has."""
    rows, _ = data()

    def predicted(uri):
        return mlflow.pyfunc.load_model(uri).predict(rows[:3])

    step("set alias", lambda: client.set_registered_model_alias("tree", "champion", "1"))
    step("move to Production", lambda: client.transition_model_version_stage("tree", "1", "Production"))
    step("move to Staging", lambda: client.transition_model_version_stage("tree", "2", "Staging"))
    uris = [
        "models:/tree/1", "models:/tree/2", "models:/tree@champion", "models:/tree/Production", "models:/tree/production",
        "models:/tree/Staging", "models:/tree/latest", "models:/tree/99", "models:/tree@nobody", "models:/tree/Archived",
        "models:/nobody/1", "models:/nobody@champion", "models:/nobody/latest", "models:/tree", "models:/tree/Testing",
        "models:/tree@latest", "models:/", "runs:/" + "0" * 32 + "/model",
    ]  # fmt: skip
    for uri in uris:
        step(f"predict by {uri}", lambda uri=uri: predicted(uri))


def metadata(step, client):
    """What the client reads of a model without loading it."""
    step("model info", lambda: described(mlflow.models.get_model_info("models:/tree/1")))
    step("model info by alias", lambda: described(mlflow.models.get_model_info("models:/tree@champion")))
    step("model info of unknown", lambda: mlflow.models.get_model_info("models:/nobody/1"))
    step("download model", lambda: sorted(names_in(mlflow.artifacts.download_artifacts("models:/tree/1"))))
    step(
        "list model",
        lambda: [item.path.split("/")[-1] for item in mlflow.artifacts.list_artifacts("models:/tree/1")],
    )
    step("download uri", lambda: client.get_model_version_download_uri("tree", "1"))


def names_in(path):
    """Returns the paths of the files below a directory, without the register's own note."""
    import pathlib

    return [str(file.relative_to(path)) for file in pathlib.Path(path).rglob("*") if file.is_file()]


def refusals(step, client):
    """Models that cannot be registered or loaded."""
    step(
        "register a run without a model",
        lambda: mlflow.register_model("runs:/" + "0" * 32 + "/model", "tree"),
    )
    with_run = step("create bare run", lambda: client.create_run("0", 1000, run_name="bare run").info.run_id)
    step("register an absent path", lambda: mlflow.register_model(f"runs:/{with_run}/absent", "tree absent"))
    step("load an absent path", lambda: mlflow.pyfunc.load_model(f"runs:/{with_run}/absent"))
    step("delete version in use", lambda: client.delete_model_version("tree", "1"))
    step("load deleted version", lambda: mlflow.pyfunc.load_model("models:/tree/1"))
    step("load by alias of the deleted version", lambda: mlflow.pyfunc.load_model("models:/tree@champion"))


def log_without_run(step, client):
    """A model that is logged outside of a run (client 3)."""
    from sklearn.linear_model import LinearRegression

    rows, _ = data()
    line = LinearRegression().fit(rows, rows[:, 0])
    info = step(
        "log without a run",
        lambda: described(
            mlflow.sklearn.log_model(
                line, name="line", pip_requirements=REQUIREMENTS, params={"kind": "line"}
            )
        ),
    )
    model_id = info["model_id"] if info else ""
    step("logged without a run", lambda: client.get_logged_model(model_id))
    step(
        "predict without a run",
        lambda: mlflow.sklearn.load_model(f"models:/{model_id}").predict(rows[:2]),
        digits=6,
    )
    step(
        "metric without a run",
        lambda: mlflow.log_metric("mae", 0.5, model_id=model_id, timestamp=1000, step=0),
    )
    step("end the run that a metric started", lambda: mlflow.end_run())


def active_model(step, client):
    """The model that later metrics are tied to (client 3)."""
    step("set active model", lambda: type(mlflow.set_active_model(name="agent")).__name__)

    def logged():
        with mlflow.start_run(run_name="active model run"):
            mlflow.log_model_params({"temperature": "0.5"})
            mlflow.log_metric("score", 0.5, step=1, timestamp=1000)
        return client.get_logged_model(mlflow.get_active_model_id())

    step("log with an active model", logged)
    step(
        "external model",
        lambda: mlflow.create_external_model(name="outside", model_type="agent", params={"a": "1"}),
    )
    step("initialize model", lambda: mlflow.initialize_logged_model(name="begun", tags={"a": "1"}))
    step("last logged model", lambda: mlflow.last_logged_model())
    step("clear active model", lambda: mlflow.clear_active_model())
