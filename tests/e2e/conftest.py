"""One release for the whole run, in a namespace of its own."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import suppress

import pytest

from .claims import Disturb
from .commands import CommandFailed
from .diagnosis import describe
from .figures import Figures
from .helm import Helm
from .inside.orders import Interims, Kind, Orders
from .kubectl import Kubectl
from .live import LONGEST_SECONDS, Action, Outcome, Reference, record_reference, speak_through
from .manifests import client_config, namespace, remove_own_objects
from .pods import PodSite
from .preflight import current_context, is_wanted, reason_to_skip
from .release import Release
from .settings import E2ESettings, new_namespace
from .speech import voices
from .values import ValuesFiles

INSTALL_SECONDS = 300.0
"""Longest wait for the first Ready; how long it took is a test's business."""
_release = pytest.StashKey[Release]()
_figures = pytest.StashKey[Figures]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to a failed test's report what is to be seen on the cluster."""
    report = yield
    release = item.config.stash.get(_release, None)
    if report.failed and release is not None and item.get_closest_marker("e2e"):
        report.sections.append(("cluster", describe(release.kubectl, release.selector)))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Prints the figures."""
    figures = config.stash.get(_figures, None)
    if figures is not None and figures.lines:
        terminalreporter.section("figures of the cluster")
        for line in figures.lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def settings() -> E2ESettings:
    if not is_wanted():
        pytest.skip("runs by `make e2e` only, on the cluster of the current kube context")
    settings = E2ESettings()
    if reason := reason_to_skip(settings):
        pytest.skip(reason)
    return settings


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    return pytestconfig.stash.setdefault(_figures, Figures())


@pytest.fixture(scope="session")
def kubectl(
    settings: E2ESettings, pytestconfig: pytest.Config, figures: Figures
) -> Iterator[Kubectl]:
    """kubectl of the namespace, which is there while the tests run."""
    context = current_context(settings)
    kubectl = Kubectl(settings.context, settings.namespace or new_namespace())
    figures.note("context and namespace", f"{context}, {kubectl.namespace}")
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nkube context {context}, namespace {kubectl.namespace}", flush=True)
    made = kubectl.find("namespace", kubectl.namespace) is None
    if made:
        kubectl.create(namespace(kubectl.namespace))
    try:
        yield kubectl
    finally:
        if made and not settings.keep:
            with suppress(CommandFailed):
                kubectl.delete("namespace", kubectl.namespace, seconds=180.0)


@pytest.fixture(scope="session")
def untouched(kubectl: Kubectl) -> frozenset[str]:
    """What is in the namespace before the release."""
    return kubectl.names(kubectl.kinds())


@pytest.fixture(scope="session")
def installed(
    untouched: frozenset[str],
    kubectl: Kubectl,
    settings: E2ESettings,
    figures: Figures,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Release, float]]:
    """The release, and the seconds until all of it was ready."""
    helm = Helm(settings.context, kubectl.namespace, settings.release)
    values = ValuesFiles(tmp_path_factory.mktemp("values"), settings)
    release = Release(kubectl, helm, settings, values)
    pytestconfig.stash[_release] = release
    began = time.monotonic()
    release.install()
    try:
        release.wait_settled(seconds=INSTALL_SECONDS)
        seconds = time.monotonic() - began
        figures.note("install to Ready", f"{seconds:.1f} s")
        yield release, seconds
    finally:
        if not settings.keep:
            with suppress(CommandFailed):
                helm.uninstall()
            remove_own_objects(kubectl)


@pytest.fixture
def release(installed: tuple[Release, float]) -> Release:
    """The release in its ordinary state."""
    release, _ = installed
    release.calm()
    return release


@pytest.fixture(scope="session")
def site(installed: tuple[Release, float]) -> PodSite:
    """Where live sessions run."""
    release, _ = installed
    release.kubectl.create(*client_config())
    return PodSite(release)


@pytest.fixture(scope="session")
def reference(
    site: PodSite, settings: E2ESettings, installed: tuple[Release, float], figures: Figures
) -> Reference:
    """What an undisturbed run on this cluster hears."""
    release, _ = installed
    release.calm()
    seconds = settings.limit(LONGEST_SECONDS)
    reference = record_reference(site, voices(), seconds, settings.limit)
    count = sum(len(finals) for finals in reference.finals.values())
    figures.note("undisturbed", f"{count} finals in {seconds:g} s of {len(voices())} voices")
    return reference


@pytest.fixture
def disturb(
    release: Release,
    site: PodSite,
    reference: Reference,
    settings: E2ESettings,
    figures: Figures,
    request: pytest.FixtureRequest,
) -> Disturb:
    """Does something to the release under live sessions and returns what they heard."""

    def run(action: Action, *, kind: Kind = "plain", interims: Interims = "some") -> Outcome:
        orders = Orders(settings.sessions, kind, settings.limit(LONGEST_SECONDS), interims=interims)
        outcome = speak_through(site, reference, action, orders, settings.limit)
        figures.note(request.node.name.removeprefix("test_"), outcome.figures())
        return outcome

    return run
