"""Makes deploy/dashboards: what Grafana shows of the system, of one service, and of what happens in programs."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)

from local.files import CHECKOUT

FOLDER = CHECKOUT / "deploy/dashboards"
_SOURCE = DataSourceRef("prometheus", "${datasource}")
_HEIGHT, _WIDTH = 8, 8
Query = tuple[str, str]
"""An expression of PromQL, and the legend of its series."""


def _target(query: Query, place: int, exemplars: bool) -> prometheus.Dataquery:
    expression, legend = query
    made = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + place)).range()
    return made.exemplar(exemplars).datasource(_SOURCE)


def _graph(
    title: str, what: str, *queries: Query, unit: str = "short", line: float | None = None, stacked: bool = False
) -> timeseries.Panel:
    """A graph over time; `line` is where an alert begins, and above it the graph is red."""
    panel = timeseries.Panel().title(title).description(what).unit(unit).min(0).fill_opacity(10)
    panel = panel.datasource(_SOURCE).height(_HEIGHT).span(_WIDTH)
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel = panel.legend(legend.show_legend(True)).tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    for place, query in enumerate(queries):
        panel = panel.with_target(_target(query, place, "histogram_quantile" in query[0]))
    if line is not None:
        steps = [Threshold(None, "green"), Threshold(line, "red")]
        panel = panel.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        panel = panel.thresholds_style(GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.LINE))
    return panel.stacking(StackingConfig().mode(StackingMode.NORMAL)) if stacked else panel


def _number(title: str, what: str, query: Query, unit: str = "short") -> stat.Panel:
    panel = stat.Panel().title(title).description(what).unit(unit).datasource(_SOURCE).height(4).span(4).decimals(0)
    return panel.graph_mode(BigValueGraphMode.NONE).with_target(_target(query, 0, False))


def _board(uid: str, title: str, what: str) -> dashboard.Dashboard:
    board = dashboard.Dashboard(title).uid(uid).description(what).tags(["counterpoint"]).editable()
    board = board.time("now-3h", "now").refresh("30s").tooltip(DashboardCursorSync.CROSSHAIR).timezone("browser")
    return board.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))


def _slow(metric: str, by: str, where: str = "", share: float = 0.99) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{where}[$__rate_interval])))"


def system() -> dashboard.Dashboard:
    """All services side by side: what alerts look at."""
    requests = "http_server_request_duration_seconds"
    failed = f'sum by (service_name) (rate({requests}_count{{http_response_status_code=~"5.."}}[$__rate_interval]))'
    every = f"sum by (service_name) (rate({requests}_count[$__rate_interval]))"
    service = "{{service_name}}"
    board = _board("counterpoint-system", "Counterpoint: system", "Is all well, and if not, where?")
    board = board.with_row(dashboard.Row("What wakes somebody"))
    for panel in (
        _graph("Alerts", "Those that fire; each has a page in docs/runbooks.",
               ('sum by (alertname, service_name) (ALERTS{alertname=~"Counterpoint.+", alertstate="firing"})',
                "{{alertname}} {{service_name}}"), stacked=True),
        _graph("Lag", "Age of the oldest record not yet applied.",
               ("max by (service_name) (counterpoint_inbox_lag_seconds)", service), unit="s", line=30),
        _graph("Waits to be published", "How long the oldest commit has waited.",
               ("max by (service_name) (counterpoint_relay_pending_age_seconds)", service), unit="s", line=60),
        _graph("Parked", "What waits for somebody.",
               ("sum by (service_name, counterpoint_kind, counterpoint_reason) (max by "
                "(service_name, counterpoint_kind, counterpoint_reason, counterpoint_task) (counterpoint_parked))",
                "{{service_name}} {{counterpoint_kind}} {{counterpoint_reason}}"), line=1),
        _graph("Tasks are late", "How long the oldest task that is due has waited.",
               ("max by (service_name) (counterpoint_tasks_late_seconds)", service), unit="s", line=300),
        _graph("Waits for", "Processes that lack something they need.",
               ("sum by (service_name, counterpoint_role, counterpoint_part) (counterpoint_process_waiting) > 0",
                "{{service_name}} {{counterpoint_role}}: {{counterpoint_part}}"), stacked=True),
    ):  # fmt: skip
        board = board.with_panel(panel)
    board = board.with_row(dashboard.Row("Requests and processes"))
    for panel in (
        _graph("Requests", "Per second.", (every, service), unit="reqps"),
        _graph("Errors of ours", "Share of the requests; 0.5 % in thirty days are allowed.",
               (f"({failed} or 0 * {every}) / {every}", service), unit="percentunit", line=0.005),
        _graph("Slowest requests", "99 of 100 are quicker.", (_slow(requests, "service_name"), service), unit="s"),
        _graph("Processes", "By service and role.",
               ("count by (service_name, counterpoint_role) (counterpoint_relay_pending)",
                "{{service_name}} {{counterpoint_role}}"), stacked=True),
        _graph("Relays that work", "Exactly one of each service.",
               ("sum by (service_name) (counterpoint_relay_working)", service)),
        _graph("Facts", "Decided per second.",
               ("sum by (service_name) (rate(counterpoint_facts_total[$__rate_interval]))", service), unit="ops"),
    ):  # fmt: skip
        board = board.with_panel(panel)
    return board


def service() -> dashboard.Dashboard:
    """One service: from a request to its effects."""
    where = '{service_name="$service"}'
    board = _board("counterpoint-service", "Counterpoint: a service", "From a request to its effects elsewhere.")
    names = dashboard.QueryVariable("service").label("Service").datasource(_SOURCE)
    names = names.query("label_values(counterpoint_relay_pending, service_name)")
    board = board.with_variable(names.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED))
    for title, panels in (
        ("Requests and commands", _deciding(where)),
        ("Publishing", _publishing(where)),
        ("Hearing", _hearing(where)),
        ("Tasks", _tasks(where)),
    ):
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return board


def _deciding(where: str) -> list[Any]:
    requests, database = "http_server_request_duration_seconds", "db_client_operation_duration_seconds"
    return [
        _graph("Requests by route", "Per second.",
               (f"sum by (http_request_method, http_route) (rate({requests}_count{where}[$__rate_interval]))",
                "{{http_request_method}} {{http_route}}"), unit="reqps", stacked=True),
        _graph("Refused and failed", "By type of problem, per second.",
               ("sum by (http_response_status_code, counterpoint_problem) "
                f"(rate(counterpoint_problems_total{where}[$__rate_interval]))",
                "{{http_response_status_code}} {{counterpoint_problem}}"), unit="reqps", stacked=True),
        _graph("Slowest requests", "99 of 100 are quicker; points lead to traces.",
               (_slow(requests, "http_route", where), "{{http_route}}"), unit="s"),
        _graph("Commands", "Those that wrote, and tries that met a quicker writer, per second.",
               (f"sum(rate(counterpoint_commands_total{where}[$__rate_interval]))", "commands"),
               (f"sum(rate(counterpoint_conflicts_total{where}[$__rate_interval]))", "conflicts"), unit="ops"),
        _graph("Round trips to the database", "By command, per second.",
               (f"sum by (db_operation_name) (rate({database}_count{where}[$__rate_interval]))",
                "{{db_operation_name}}"), unit="ops", stacked=True),
        _graph("Slowest round trips", "99 of 100 are quicker.",
               (_slow(database, "db_operation_name", where), "{{db_operation_name}}"), unit="s"),
    ]  # fmt: skip


def _publishing(where: str) -> list[Any]:
    send = "messaging_client_operation_duration_seconds"
    return [
        _graph("Waits to be published", "Commits, of 10,000 at most.",
               (f"max(counterpoint_relay_pending{where})", "commits")),
        _graph("Oldest of them", "How long it has waited.",
               (f"max(counterpoint_relay_pending_age_seconds{where})", "age"), unit="s", line=60),
        _graph("Sent", "Records per second, by topic and error.",
               ("sum by (messaging_destination_name, error_type) "
                f"(rate(messaging_client_sent_messages_total{where}[$__rate_interval]))",
                "{{messaging_destination_name}} {{error_type}}"), unit="ops"),
        _graph("Slowest sends", "99 of 100 are quicker.",
               (_slow(send, "messaging_destination_name", where), "{{messaging_destination_name}}"), unit="s"),
    ]  # fmt: skip


def _hearing(where: str) -> list[Any]:
    return [
        _graph("Lag by topic", "Age of the oldest record not yet applied.",
               (f"max by (messaging_destination_name) (counterpoint_inbox_lag_seconds{where})",
                "{{messaging_destination_name}}"), unit="s", line=30),
        _graph("Behind by topic", "Records not yet applied, as the process sees it that has most.",
               (f"max by (messaging_destination_name) (counterpoint_inbox_behind{where})",
                "{{messaging_destination_name}}")),
        _graph("From said to seen", "Age of the oldest record of a batch when it took effect.",
               (f"histogram_quantile(0.5, sum by (le) (rate(counterpoint_inbox_delay_seconds_bucket{where}"
                "[$__rate_interval])))", "half"),
               (f"histogram_quantile(0.99, sum by (le) (rate(counterpoint_inbox_delay_seconds_bucket{where}"
                "[$__rate_interval])))", "99 of 100"), unit="s"),
        _graph("Batches", "Until one has taken effect: 99 of 100 are quicker.",
               (_slow("messaging_process_duration_seconds", "error_type", where), "batch {{error_type}}"), unit="s"),
        _graph("Records", "Per second: what came, took effect, was known already, or is none of ours.",
               (f"sum(rate(messaging_client_consumed_messages_total{where}[$__rate_interval]))", "came"),
               (f"sum(rate(counterpoint_inbox_projected_total{where}[$__rate_interval]))", "took effect"),
               (f"sum(rate(counterpoint_inbox_repeats_total{where}[$__rate_interval]))", "known already"),
               (f"sum(rate(counterpoint_inbox_foreign_total{where}[$__rate_interval]))", "none of ours"), unit="ops"),
        _graph("Parked", "What waits for somebody.",
               (f"max by (counterpoint_kind, counterpoint_reason, counterpoint_task) (counterpoint_parked{where})",
                "{{counterpoint_kind}} {{counterpoint_reason}}{{counterpoint_task}}"), line=1),
    ]  # fmt: skip


def _tasks(where: str) -> list[Any]:
    task = "counterpoint_task_duration_seconds"
    return [
        _graph("Due", "Tasks that could run now and that nobody does.",
               (f"max by (counterpoint_task) (counterpoint_tasks_due{where})", "{{counterpoint_task}}"), stacked=True),
        _graph("Late", "How long the oldest of them has waited.",
               (f"max by (counterpoint_task) (counterpoint_tasks_late_seconds{where})", "{{counterpoint_task}}"),
               unit="s", line=300),
        _graph("Running", "Tasks that are being done, by all processes.",
               (f"sum by (counterpoint_task) (counterpoint_tasks_running{where})", "{{counterpoint_task}}"),
               stacked=True),
        _graph("Longest of them", "How long it has been running.",
               (f"max by (counterpoint_task) (counterpoint_tasks_running_age_seconds{where})", "{{counterpoint_task}}"),
               unit="s", line=1800),
        _graph("Its steps", "How many the longest has done: while they become more, it does not hang.",
               (f"max by (counterpoint_task) (counterpoint_tasks_running_done{where})", "{{counterpoint_task}}")),
        _graph("Tries", "By what came of them, per second.",
               (f"sum by (counterpoint_outcome) (rate({task}_count{where}[$__rate_interval]))",
                "{{counterpoint_outcome}}"), unit="ops", stacked=True),
        _graph("Slowest tries", "95 of 100 are quicker.",
               (_slow(task, "counterpoint_task", where, 0.95), "{{counterpoint_task}}"), unit="s"),
    ]  # fmt: skip


NUMBERS = {
    "Enrolled": "MentorEnrolled|ExecutiveEnrolled",
    "Left": "ParticipantWithdrawn",
    "Rounds published": "RoundPublished",
    "Pairs formed": "PairFormed",
    "Pairs released": "PairReleased",
    "Sessions held": "SessionHeld",
    "Sessions cancelled": "SessionCancelled",
    "Actions committed": "ActionCommitted",
    "Actions confirmed": "ActionConfirmed",
    "Journeys completed": "JourneyCompleted",
    "Reports published": "ReportPublished",
    "Erased": "ParticipantErased",
}
"""What is counted over the time that is shown, and the facts that say it."""


def program() -> dashboard.Dashboard:
    """What happens in all programs together: nobody's own figures, which insights alone may tell, and suppress."""
    what = "What happens in all programs together, from the types of facts; a program's own figures are its report."
    board = _board("counterpoint-program", "Counterpoint: program facts", what).time("now-7d", "now")
    board = board.with_row(dashboard.Row("In the time shown"))
    for title, facts in NUMBERS.items():
        query = f'sum(increase(counterpoint_facts_total{{counterpoint_fact=~"{facts}"}}[$__range]))'
        board = board.with_panel(_number(title, f"Facts: {facts.replace('|', ', ')}.", (query, "")))
    board = board.with_row(dashboard.Row("Over time"))
    for name in ("enrollment", "matching", "scheduling", "insights"):
        said = f'counterpoint_facts_total{{service_name="counterpoint-{name}"}}'
        query = f"sum by (counterpoint_fact) (increase({said}[$__rate_interval]))"
        panel = _graph(name.capitalize(), "Facts by type.", (query, "{{counterpoint_fact}}"), stacked=True)
        board = board.with_panel(panel.span(12))
    return board


def boards() -> dict[str, str]:
    """The JSON of each dashboard by the name of its file."""
    made = {"system": system(), "service": service(), "program": program()}
    return {f"{name}.json": json.dumps(b.build(), cls=JSONEncoder, indent=2) + "\n" for name, b in made.items()}


if __name__ == "__main__":
    for name, text in boards().items():
        (FOLDER / name).write_text(text)
