//! Billing and support, as parts of the settings.

use maud::{Markup, html};

use super::layout::{Shell, note};
use super::parts::{Tone, ago, clean, foreign, seconds, state};
use super::settings::slot;
use crate::Role;
use crate::api::model::Listing;
use crate::billing::Limits;
use crate::billing::api::BillingView;
use crate::support::Answer;
use crate::support::api::TicketView;

fn limits(of: &Limits) -> Markup {
    let count = |n: u32| if n == u32::MAX { "no limit".to_owned() } else { n.to_string() };
    html! {
        dl.facts {
            dt { "Monitors" } dd { (count(of.monitors)) }
            dt { "Shortest interval" } dd { (seconds(of.interval_min_s.into())) }
            dt { "Heartbeats" } dd { (count(of.heartbeats)) }
            dt { "Members" } dd { (count(of.members)) }
            dt { "Channels" } dd { (count(of.channels)) }
            dt { "Audits by hand, a day" } dd { (count(of.audits_per_day)) }
        }
    }
}

/// What the organisation is on, and what it can buy.
pub(crate) fn billing(shell: &Shell, view: &BillingView) -> Markup {
    let body = html! {
        section.card aria-labelledby="plan" {
            h2 id="plan" { "Plan: " (clean(&view.plan)) }
            @if !view.on { p { "There is no billing on this server: everything is included." } }
            @if view.unpaid_invoices > 0 {
                (note(Tone::Bad, &format!("{} unpaid invoices: pay them in the customer portal to keep the plan.", view.unpaid_invoices)))
            }
            (limits(&view.limits))
            @for s in &view.subscriptions {
                p { (state(if s.counts { Tone::Good } else { Tone::Warn }, &clean(&s.status))) " " (clean(&s.plan)) }
            }
            @if view.on && shell.may(Role::Owner) && !view.subscriptions.is_empty() {
                (shell.press("/settings/billing/portal", "Cards, invoices, plan: to the customer portal", ""))
            }
        }
        @if view.on {
            @for plan in &view.plans {
                @let id = format!("plan-{}", plan.id);
                section.card aria-labelledby=(id) {
                    h2 id=(id) { (plan.name) @if plan.id == view.plan { span.chip.good { "yours" } } }
                    (limits(&plan.limits))
                    @if shell.may(Role::Owner) && plan.id != view.plan && !view.subscriptions.iter().any(|s| s.counts) {
                        form method="post" action="/settings/billing/checkout" {
                            (shell.token())
                            input type="hidden" name="plan" value=(plan.id);
                            button.primary type="submit" { "Buy " (plan.name) }
                        }
                    }
                }
            }
        }
    };
    slot(shell, "/settings/billing", "Billing", body)
}

/// What was asked and answered just now.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// The question.
    pub(crate) asked: &'a str,
    /// What came back.
    pub(crate) answer: &'a Answer,
}

/// The support chat, and tickets.
pub(crate) fn support(
    shell: &Shell,
    tickets: &Listing<TicketView>,
    exchange: Option<&Exchange<'_>>,
    problem: &str,
) -> Markup {
    let conversation = exchange.map(|e| e.answer.conversation_id.as_str()).unwrap_or_default();
    let body = html! {
        @if !problem.is_empty() { (note(Tone::Bad, problem)) }
        section.card aria-labelledby="ask" {
            h2 id="ask" { "Ask about your incident or report" }
            @if let Some(e) = exchange {
                p.soft { (foreign(e.asked)) }
                div role="status" { @for line in e.answer.reply.lines() { p { (foreign(line)) } } }
                @if let Some(say) = &e.answer.notice { p.soft.small { (clean(say)) } }
                @if let Some(say) = &e.answer.model_problem { p.soft.small { "The language model did not answer: " (clean(say)) } }
                @if e.answer.escalation_suggested { p { strong { "A person should look at this: open a ticket below." } } }
                hr;
            }
            form method="post" action="/settings/support" {
                (shell.token())
                input type="hidden" name="conversation" value=(conversation);
                div.field {
                    label for="question" { "Question" }
                    textarea id="question" name="question" rows="3" required maxlength="4000" aria-describedby="question-hint" {}
                    p.hint id="question-hint" { "The newest open incident is meant, unless there is none; then the newest report. " "Rules answer first, from what is stored." }
                }
                button.primary type="submit" { "Ask" }
            }
        }
        section.card aria-labelledby="ticket" {
            h2 id="ticket" { "Open a ticket" }
            form method="post" action="/settings/support/tickets" {
                (shell.token())
                input type="hidden" name="conversation" value=(conversation);
                div.field { label for="matter" { "What is the matter?" } textarea id="matter" name="message" rows="4" required maxlength="4000" {} }
                button type="submit" { "Open the ticket" }
            }
        }
        section.card aria-labelledby="tickets" {
            h2 id="tickets" { "Tickets" }
            @if tickets.items.is_empty() { p.soft { "None." } }
            ul.rows {
                @for t in &tickets.items {
                    li {
                        div {
                            div { (foreign(&super::parts::shorten(&t.message, 200))) }
                            div.meta { "by " (foreign(&t.opened_by)) " " (ago(shell.now, t.created)) }
                        }
                        div.end.tools {
                            @if t.status == "open" {
                                (state(Tone::Warn, "Open"))
                                @if shell.may(Role::Editor) { (shell.press(&format!("/settings/support/tickets/{}/close", t.ticket_id), "Close", "slim")) }
                            } @else { (state(Tone::Idle, "Closed")) }
                        }
                    }
                }
            }
        }
    };
    slot(shell, "/settings/support", "Support", body)
}
