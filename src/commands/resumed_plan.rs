//! What a run that has begun has to do still, in words; and the list that its tokens come from.

use crate::{
    app::AppOfRun,
    clock,
    engine::list::{ListNow, TokenList, look_again},
    event::Started,
    input::Source,
    journal::state::{RunState, Take},
    plan::{calls_line, checks_line, counted},
    settings::{Settings, app::App},
    terminal::console::Console,
};

/// Prints what is done, what there is to do, and how fast.
pub fn print_plan(
    run_state: &RunState,
    take: Take,
    settings: &Settings,
    app: &App,
    console: Console,
) {
    let (books, to_take, pacing) = (run_state.books(), run_state.to_take(take), settings.pacing());
    let checks = if settings.verify.is_some() { u64::from(to_take) } else { 0 };
    let calls = u64::from(to_take) * 2 + checks;
    let shard = settings.shard.map(|shard| format!("Shard          {shard}\n")).unwrap_or_default();
    let via = if settings.via.are_default() {
        String::new()
    } else {
        format!("Via            {}\n", settings.via)
    };
    console.print(&format!(
        "Run            {} of {}\n\
         So far         {} recovered, {} failed, {} not attempted\n\
         To recover     {}\n\
         {shard}{via}{}{}\
         Endpoint       {}\n\
         {}",
        run_state.started.run_id,
        clock::stamp(run_state.started.at),
        books.recovered,
        books.failed,
        books.not_attempted,
        counted(to_take, "installation"),
        checks_line(checks),
        calls_line(calls, &pacing, settings.concurrency),
        app.endpoint,
        clients_in_words(run_state, take),
    ));
}

fn clients_in_words(run_state: &RunState, take: Take) -> String {
    let Started { apps, client_id, .. } = &run_state.started;
    if apps.is_empty() {
        return format!("Client id      {client_id}");
    }
    let line = |AppOfRun { name, client_id }: &AppOfRun| {
        let to_take = counted(run_state.to_take_of(Some(name), take), "installation");
        format!("App            {name}: {to_take}, client id {client_id}")
    };
    apps.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The list for its tokens, where the routes need them. Says when it has changed, and when it cannot
/// give any.
pub fn tokens_of_list(
    run_state: &RunState,
    settings: &Settings,
    console: Console,
) -> Option<TokenList> {
    let list = &run_state.started.list;
    let now = look_again(list.path.as_ref(), &run_state.ready.as_ref()?.digest);
    let without = if settings.use_tokens_of_list() {
        ": no token is taken from it, and its tokens are not at hand"
    } else {
        ""
    };
    match now {
        ListNow::Same => {
            let source = Source::open(list.path.as_ref()?).ok()?;
            return Some(TokenList::new(source, &settings.selection));
        }
        ListNow::Changed => console.print(&format!(
            "note: {} has changed since the run began; the run continues with the list as it was{without}",
            list.name
        )),
        ListNow::Gone if !without.is_empty() => console.print(&format!(
            "note: the list ({}) cannot be read any more; the run continues without it{without}",
            list.name
        )),
        ListNow::Gone => {}
    }
    None
}
