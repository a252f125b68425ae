//! The help: commands in groups, two examples that work with each, and what the exit codes mean.

use clap::Command;

/// What stands below the help of the whole.
pub const AFTER: &str = "\
Without a command, hookwheel serves. `hookwheel COMMAND --help` has examples.

Exit codes: 0 done, 1 refused or failed or judged bad, 2 asked wrongly or no verdict, 3 the server cannot be reached,
130 ended by Ctrl-C while the server goes on.";

/// The groups, in order. A command that stands in none comes last.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Serve",
        &[
            "serve",
            "config",
            "version",
            "health",
            "doctor",
            "backup",
            "restore",
            "export",
            "import",
            "store",
            "master-key",
            "schema",
        ],
    ),
    (
        "Look",
        &[
            "login",
            "logout",
            "status",
            "top",
            "stats",
            "tail",
            "webhooks",
            "events",
            "deliveries",
            "dead-letters",
            "jobs",
            "audit",
            "nodes",
        ],
    ),
    ("Change", &["send", "replay", "accounts", "keys", "users"]),
    ("Contracts", &["dialect", "dialects", "event-types", "verify", "openapi"]),
    ("Develop and measure", &["listen", "receive", "mock", "guard", "bench", "man", "completions"]),
];

/// Two commands that work, for those that are not of the table of tools.
const EXAMPLES: &[(&str, &str)] = &[
    ("serve", "hookwheel serve --dev\n  hookwheel serve --config /etc/hookwheel/config.toml"),
    ("send", "hookwheel send task.created --data '{\"id\": 1}'\n  hookwheel send --ndjson events.ndjson --run friday"),
    (
        "verify",
        "hookwheel verify --secret whsec_… --headers headers --body body\n  hookwheel verify --dialect stripe --secret whsec_… --headers headers < body",
    ),
    ("receive", "hookwheel receive --secret whsec_…\n  hookwheel receive --fail-first 2 --count 5"),
    (
        "mock",
        "hookwheel mock stripe --to http://localhost:3000/hook --secret whsec_…\n  hookwheel mock standard --to http://localhost:3000/hook --count 20 --seed 1 --bad-signature 10%",
    ),
    ("dialect", "hookwheel dialect list\n  hookwheel dialect check dialects/mine.toml"),
    (
        "guard",
        "hookwheel guard explain https://example.com/hook\n  hookwheel guard explain https://example.com/hook --url http://127.0.0.1:7080",
    ),
    (
        "backup",
        "hookwheel backup --to /var/backups/hookwheel --keep 7\n  hookwheel backup whole.backup.age --encrypt-to age1…",
    ),
    (
        "restore",
        "hookwheel restore whole.backup --check\n  hookwheel restore whole.backup.age --identity key.txt --to /var/lib/hookwheel/data",
    ),
    ("store", "hookwheel store accept-loss --help\n  hookwheel store accept-loss --yes"),
    (
        "export",
        "hookwheel export moved.ndjson --secrets\n  hookwheel export - --accounts acme --what events | tac > events.ndjson",
    ),
    (
        "import",
        "hookwheel import moved.ndjson --dry-run\n  hookwheel import --from svix --from-url https://api.eu.svix.com --from-token-file token",
    ),
    ("bench", "hookwheel bench --own --seconds 10\n  hookwheel bench --relay"),
    ("openapi", "hookwheel openapi > openapi.json\n  hookwheel openapi --base-url https://hooks.example.com"),
    ("login", "hookwheel login --url https://hooks.example.com\n  hookwheel login --profile test < key.txt"),
    ("logout", "hookwheel logout\n  hookwheel logout --all"),
    ("tail", "hookwheel tail\n  hookwheel tail --kind attempt --status-code 5xx --json"),
    (
        "replay",
        "hookwheel replay DELIVERY\n  hookwheel replay --webhook ID --state dead --from 2026-01-15T00:00:00Z --dry-run",
    ),
    ("stats", "hookwheel stats\n  hookwheel stats --webhook ID --step hour"),
    ("top", "hookwheel top\n  hookwheel top --every 10 --account acme"),
    ("status", "hookwheel status\n  hookwheel status --json"),
];

/// The command line with its help.
pub fn told(command: Command) -> Command {
    let groups = listed(&command);
    let command = command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\nGlobal options:\n{{options}}{{after-help}}"
    ));
    EXAMPLES.iter().fold(command, |command, (name, examples)| {
        command.mut_subcommand(name, |one| one.before_help(format!("Examples:\n  {examples}")))
    })
}

/// The commands by their groups, a line each.
fn listed(command: &Command) -> String {
    let shown = || command.get_subcommands().filter(|one| !one.is_hide_set());
    let wide = shown().map(|one| one.get_name().len()).max().unwrap_or(0);
    let line = |one: &Command| {
        format!("  {:wide$}  {}\n", one.get_name(), one.get_about().map(ToString::to_string).unwrap_or_default())
    };
    let of_group = |names: &[&str]| -> String {
        names.iter().filter_map(|name| shown().find(|one| one.get_name() == *name)).map(line).collect()
    };
    let is_grouped = |one: &&Command| GROUPS.iter().any(|(_, names)| names.contains(&one.get_name()));
    let rest: String = shown().filter(|one| !is_grouped(one)).map(line).collect();
    let groups = GROUPS.iter().map(|(title, names)| (*title, of_group(names))).chain([("Other", rest)]);
    groups.filter(|(_, lines)| !lines.is_empty()).map(|(title, lines)| format!("\n{title}:\n{lines}")).collect()
}
