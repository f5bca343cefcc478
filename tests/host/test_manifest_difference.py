"""What has to happen between two manifests: enough, no more, and in an order that works."""

from hypothesis import given
from hypothesis import strategies as st

from host.actor_settings import ActorSettings
from host.manifest.difference import (
    AddActor,
    AddCapability,
    Desired,
    DesiredActor,
    RemoveActor,
    RemoveBinding,
    RemoveCapability,
    ReplaceActor,
    SetBinding,
    SetLabel,
    difference,
)

KEYS = tuple("M" + letter * 55 for letter in "ABC")
PROVIDERS = (("wascc:a", "default"), ("wascc:a", "other"), ("wascc:b", "default"))


@st.composite
def desired(draw: st.DrawFn) -> Desired:
    actors = draw(
        st.dictionaries(
            st.sampled_from(KEYS),
            st.builds(DesiredActor, st.sampled_from("12"), st.sampled_from([ActorSettings(), ActorSettings(2)])),
        )
    )
    capabilities = draw(st.dictionaries(st.sampled_from(PROVIDERS), st.sampled_from(["./a.py", "./b.py"])))
    targets = [(actor, *provider) for actor in actors for provider in capabilities]
    targets += [(actor, key, "default") for key in actors for actor in (key, "system")]
    values = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"))
    bindings = draw(st.dictionaries(st.sampled_from(targets), values)) if targets else {}
    labels = draw(st.dictionaries(st.sampled_from("pq"), st.sampled_from("12")))
    return Desired(labels, actors, capabilities, bindings)


@given(desired(), desired())
def test_the_steps_lead_from_one_to_the_other(before: Desired, after: Desired) -> None:
    state = before
    for step in difference(before, after):
        state = step.after(state)
    assert state == after


@given(desired())
def test_nothing_happens_without_a_change(same: Desired) -> None:
    assert list(difference(same, same)) == []


@given(desired(), desired())
def test_each_step_finds_what_it_needs_and_changes_something(before: Desired, after: Desired) -> None:
    state = before
    for step in difference(before, after):
        match step:
            case RemoveActor(key) | ReplaceActor(key):
                assert key in state.actors
            case AddActor(key):
                assert key not in state.actors
            case RemoveCapability(provider):
                assert provider in state.capabilities
            case AddCapability(provider):
                assert provider not in state.capabilities
            case RemoveBinding(binding):
                assert binding in state.bindings
            case SetLabel(key):
                assert key not in state.labels
            case SetBinding((actor, capability_id, name)):
                assert actor in state.actors or actor == "system"
                assert (capability_id, name) in state.capabilities or capability_id in state.actors
        following = step.after(state)
        if not isinstance(step, SetBinding):
            assert following != state
        state = following


@given(desired(), desired())
def test_what_stays_as_it_is_has_no_step(before: Desired, after: Desired) -> None:
    steps = list(difference(before, after))
    same_actors = {key for key, actor in before.actors.items() if after.actors.get(key) == actor}
    same_providers = {key for key, path in before.capabilities.items() if after.capabilities.get(key) == path}
    for step in steps:
        match step:
            case RemoveActor(key) | ReplaceActor(key) | AddActor(key):
                assert key not in same_actors
            case RemoveCapability(provider) | AddCapability(provider):
                assert provider not in same_providers
            case SetBinding((actor, capability_id, name) as binding, values) if before.bindings.get(binding) == values:
                assert not {actor, capability_id} & set(KEYS) <= same_actors or (
                    capability_id not in KEYS and (capability_id, name) not in same_providers
                )


@given(desired(), desired())
def test_a_module_is_replaced_and_not_removed_unless_its_settings_change(before: Desired, after: Desired) -> None:
    removed = {step.key for step in difference(before, after) if isinstance(step, RemoveActor)}
    for key in before.actors.keys() & after.actors.keys():
        assert (key in removed) == (before.actors[key].settings != after.actors[key].settings)


def test_values_are_not_shown() -> None:
    state = Desired(bindings={("M", "c", "default"): {"PASSWORD": "geheim"}})
    assert "geheim" not in repr(state)
    assert "geheim" not in repr(list(difference(Desired(), state)))
