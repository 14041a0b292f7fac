//! What a halt means and what to do about it, as far as the journal shows.

use crate::{
    app::AppName,
    event::Halted,
    failure::Class,
    highlevel::{
        client_id::ClientId,
        token_clients::{Kinship, OfClient, StoredTokens},
    },
    journal::state::RunState,
    plan::counted,
};

/// The advice for a halt.
pub fn next_steps(run_state: &RunState, halted: &Halted) -> String {
    let class = halted.class;
    let routes = match class.about().next_steps.trim() {
        "" => "Look into run.log, then ask HighLevel's support with the trace ids.",
        routes => routes,
    };
    if class != Class::ClientRefused {
        return routes.to_owned();
    }
    let none = StoredTokens::default();
    let stored = run_state.ready.as_ref().map_or(&none, |ready| &ready.stored_tokens);
    let app = halted.app.as_ref();
    let stored = &stored.without(|client| is_of_another_app(run_state, app, client));
    let recovered = run_state.books_of(app).recovered;
    format!("{routes}\n{}", likely(run_state.client_id_of(app), stored, recovered))
}

/// In a list of several apps, the tokens of the others are where they belong.
fn is_of_another_app(run_state: &RunState, app: Option<&AppName>, client: &ClientId) -> bool {
    let mut apps = run_state.started.apps.iter();
    apps.any(|other| Some(&other.name) != app && other.client_id == client.as_str())
}

/// Which of the four causes it is, judged by the client id and the stored tokens.
fn likely(client_id: &str, stored: &StoredTokens, recovered: u32) -> String {
    let lines = [
        Some(about_id(client_id)),
        (!stored.is_empty())
            .then(|| format!("Tokens in the list: {}.", stored.seen_from(client_id))),
        Some(verdict(client_id, stored, recovered)),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn about_id(client_id: &str) -> String {
    let Some(id) = ClientId::new(client_id) else {
        return format!(
            "The client id {client_id} does not look like one (24 hexadecimal digits, a dash, 8\n\
             characters): look whether it is the client id at all."
        );
    };
    match id.made_on() {
        Some(day) => format!("Client id {id}: this key pair was made on {day}."),
        None => format!("Client id {id}: its ending is not the time that HighLevel puts there."),
    }
}

fn verdict(client_id: &str, stored: &StoredTokens, recovered: u32) -> String {
    if recovered > 0 {
        let before = counted(recovered, "installation");
        return format!("Likely 4: the same pair has recovered {before} in this run.");
    }
    let own = stored.of_client(client_id);
    let other = stored.of_others(client_id).next().filter(|other| other.installations > own);
    match other {
        Some(other) => of_another(client_id, other),
        None if own > 0 => {
            "Likely 1: the list's tokens are of this client id, so that is right; the secret is\n\
             another one. (Or 4, if the app was taken down.)"
                .to_owned()
        }
        None if ClientId::new(client_id).is_none() => {
            "Likely 2 or a value from another place; take both from the app's page in the Marketplace."
                .to_owned()
        }
        None => {
            "Likely 1 or 3: compare both with the app's page in the Marketplace, and the day above\n\
             with the days of the installations: a pair that was made after them is not theirs."
                .to_owned()
        }
    }
}

fn of_another(client_id: &str, other: &OfClient) -> String {
    let OfClient { client_id: theirs, .. } = other;
    match other.kinship(client_id) {
        Kinship::SameApp => {
            let day = theirs.made_on().map(|day| format!(", made on {day}")).unwrap_or_default();
            format!(
                "Likely 3: most of the list's tokens are of {theirs}{day}. Give that\n\
                 pair: --client-id {theirs}, and its secret."
            )
        }
        Kinship::OtherApp => format!(
            "Likely 2: most of the list's tokens are of {theirs}. Give that\n\
             app's pair, or the list of the other app."
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_likely_cause_follows_from_the_id_the_stored_tokens_and_what_went_well() {
        let own = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
        let sister = "66c1a6f5e4b0a1b2c3d4e5f6-kx3v9a1b";
        let stranger = "0123456789abcdef01234567-m1zzzzzz";
        for (id, counts, recovered, expected) in [
            (own, vec![], 0, "Likely 1 or 3"),
            (own, vec![], 5, "Likely 4: the same pair has recovered 5 installations"),
            (own, vec![(own, 3)], 0, "Likely 1: "),
            (own, vec![(own, 3), (stranger, 2)], 0, "Likely 1: "),
            (own, vec![(own, 3), (sister, 7)], 0, "Likely 3: most"),
            (own, vec![(sister, 7)], 0, "made on 2021-12-"),
            (own, vec![(stranger, 7)], 0, "Likely 2: most"),
            (own, vec![], 0, "this key pair was made on 2024-09-20"),
            ("my-app", vec![], 0, "does not look like one"),
            ("my-app", vec![], 0, "Likely 2 or"),
        ] {
            let counts: BTreeMap<_, _> =
                counts.into_iter().map(|(id, n)| (ClientId::new(id).unwrap(), n)).collect();
            let text = likely(id, &StoredTokens::of(counts), recovered);
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
    }
}
