//! How a list of runs shows itself.

use trainbook_store::{Aggregate, RunSummary};

use super::Bundle;
use super::axis::number;
use super::run::rounded;
use super::svg::shorten;
use super::table::{Align, Table, escape};

/// A table with a row for each run, in the order given. It has no picture.
pub fn runs(runs: &[RunSummary]) -> Bundle {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("run", Left),
        ("name", Left),
        ("state", Left),
        ("started (UTC)", Left),
        ("model", Left),
        ("seed", Right),
        ("val_accuracy max", Right),
        ("val_loss min", Right),
        ("seconds", Right),
    ]);
    table.rows = runs.iter().map(row).collect();
    if runs.iter().all(|run| run.name.is_none()) {
        table.columns.remove(1);
        table.rows.iter_mut().for_each(|row| drop(row.remove(1)));
    }
    let count = match runs.len() {
        0 => "no runs".to_owned(),
        1 => "1 run".to_owned(),
        many => format!("{many} runs"),
    };
    if runs.is_empty() {
        return Bundle { html: format!("<p>{count}</p>"), text: format!("{count}\n") };
    }
    Bundle {
        html: format!("{}<p>{}</p>", table.html(), escape(&count)),
        text: format!("{}{count}\n", table.text()),
    }
}

fn row(run: &RunSummary) -> Vec<String> {
    let metric = |name: &str, of: fn(&Aggregate) -> f64| {
        run.metrics.get(name).map(of).map(number).unwrap_or_default()
    };
    vec![
        run.id.to_string(),
        run.name.as_deref().map(|name| shorten(name, 24)).unwrap_or_default(),
        run.state.name().to_owned(),
        run.started_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        shorten(&run.model, 32),
        run.seed.to_string(),
        metric("val_accuracy", |a| a.max),
        metric("val_loss", |a| a.min),
        run.seconds.map(rounded).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::run::tests::record;
    use super::*;

    #[test]
    fn a_row_for_each_run() {
        let mut failed = record(&[]).summary;
        (failed.seconds, failed.model) = (None, "<script>".into());
        failed.state = trainbook_store::RunState::Crashed;
        let good = record(&[("val_accuracy", vec![(1, 0.5), (2, 0.975), (3, 0.9)])]).summary;
        let bundle = runs(&[good.clone(), failed.clone()]);
        assert_eq!(
            bundle.text,
            "run                     state     started (UTC)        model             seed  val_accuracy max  val_loss min  seconds\n\
             20261123-230412-7f3a9c  finished  2026-11-23 23:04:12  (Linear<64, 10>)     7             0.975                   1.23\n\
             20261123-230412-7f3a9c  crashed   2026-11-23 23:04:12  <script>             7\n\
             2 runs\n"
        );
        assert!(!bundle.html.contains("<script"));
        failed.name = Some("second try".into());
        let named = runs(&[good, failed]).text;
        assert!(named.contains("name") && named.contains("second try"), "{named}");
    }

    #[test]
    fn no_runs_are_said_to_be_none() {
        assert_eq!(runs(&[]).text, "no runs\n");
    }
}
