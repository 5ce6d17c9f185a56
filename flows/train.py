"""train: corrections and trusted labels -> a frozen dataset version -> a student that can be served.

The same rows are the same version, the same version and recipe the same run: what a kill interrupted goes on from its
last checkpoint, and what was finished is recognised. Started by the event of `collect`, or by a person.

Run as:  retort train --task legal_intake [--dry-run] [--sweep]
"""

from prefect import flow

from flows.context import Context, Runner, TaskName, call, find_task
from flows.fitting import Trained, fit, fit_best, fit_hosted
from flows.freezing import freeze
from flows.hosting import check_hosted
from flows.reporting import STUDENT_READY, announce, as_task, publish, reported_workplace
from flows.training import check_base, load_recipe
from flows.trials import trials_of

__all__ = ["Trained", "freeze", "train", "train_student"]


@flow(name="train")
def train(task: TaskName, recipe: str = "", sweep: bool = False) -> Trained:
    """Train a student on what people corrected.

    Args:
        task: A task by name (a folder in prompts/, or one used before), or the path of its folder.
        recipe: A recipe by name (training/recipes) or the path of a YAML file. Empty: as in task.yaml.
        sweep: Try the settings of training.sweep, and keep the student that does best on the validation split.
    """
    with reported_workplace() as context:
        result = train_student(context, task, recipe, sweep, run=as_task)
    publish("train", result.task, result.text)
    announce(STUDENT_READY, result.task, student=result.student)
    return result


def train_student(context: Context, task: str, recipe: str = "", sweep: bool = False, run: Runner = call) -> Trained:
    """The flow's work. Raises InputError for a recipe that Axolotl refuses or where there is nothing to train on."""
    found = find_task(context, task)
    chosen = load_recipe(found, recipe)
    if found.training.hosted:
        check_hosted(found, found.training.hosted, sweep)
        return run(fit_hosted)(context, found, run(freeze)(context, found), chosen)
    if not sweep:
        check_base(found, found.student.base_model)
    else:
        trials_of(found)
    version = run(freeze)(context, found)
    return run(fit_best if sweep else fit)(context, found, version, chosen)
