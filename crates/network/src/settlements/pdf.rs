//! The report for people: one page with the sums and what is paid. The lines are the CSV's.

use kit::http::ApiError;
use pdf_writer::{Content, Name, Pdf, Rect, Ref, Str, TextStr};
use protocol::{Currency, Money};

use super::store::{PayoutRow, SettlementRow};
use super::view;

/// A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
const LEFT: f32 = 56.0;
/// Where a figure stands.
const FIGURES: f32 = 240.0;
const LINE_HEIGHT: f32 = 18.0;

/// The document.
///
/// # Errors
/// 500 for rows that cannot be read.
pub(super) fn report(row: &SettlementRow, payout: Option<&PayoutRow>) -> Result<Vec<u8>, ApiError> {
    let (catalog, pages, page, content, body, bold) =
        (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4), Ref::new(5), Ref::new(6));
    let title = format!("Settlement {}", row.payment_reference);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.document_info(Ref::new(7)).title(TextStr(&title));
    pdf.pages(pages).kids([page]).count(1);
    let mut writer = pdf.page(page);
    writer.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(pages).contents(content);
    let mut resources = writer.resources();
    resources.fonts().pair(Name(b"F1"), body).pair(Name(b"F2"), bold);
    drop(resources);
    drop(writer);
    // Of the fonts that every reader has; the ids and numbers shown are plain ASCII.
    pdf.type1_font(body).base_font(Name(b"Helvetica"));
    pdf.type1_font(bold).base_font(Name(b"Helvetica-Bold"));
    pdf.stream(content, &drawn(&title, &lines(row, payout)?));
    Ok(pdf.finish())
}

/// Labels with their figures; an empty label leaves a gap.
fn lines(row: &SettlementRow, payout: Option<&PayoutRow>) -> Result<Vec<(&'static str, String)>, ApiError> {
    let currency: Currency = row.currency.parse().map_err(ApiError::internal)?;
    let money = |minor: i64| Money::new(minor, currency).to_string();
    let mut lines = vec![
        ("Settlement", row.settlement_id.clone()),
        ("Acquiring account", row.payment_acquiring_account_id.clone()),
        ("From", view::time(row.interval_start)?.to_string()),
        ("To", view::time(row.interval_end)?.to_string()),
        ("State", row.state.clone()),
        ("Entries", row.transactions.to_string()),
        ("", String::new()),
        ("Opening balance", money(row.opening_balance)),
        ("Captures", money(row.capture_amount)),
        ("Refunds", money(row.refund_amount)),
        ("Chargebacks", money(row.chargeback_amount)),
        ("Chargeback reversals", money(row.chargeback_reversal_amount)),
        ("Fees, without tax", money(row.fee_amount)),
        ("Tax on fees", money(row.tax_amount)),
        ("Adjustments", money(row.adjustment_amount)),
        ("Held back", money(row.holdback_amount)),
        ("Released", money(row.release_amount)),
        ("Settlement amount", money(row.settlement_amount)),
        ("Closing balance", money(row.closing_balance)),
        ("", String::new()),
    ];
    match payout {
        Some(payout) => lines.extend([
            ("Payout", money(payout.amount)),
            ("To account", payout.payout_bank_account_reference.clone()),
            ("Payment reference", payout.payment_reference.clone()),
        ]),
        None => lines.push(("Payout", "none; the balance is carried forward".to_owned())),
    }
    Ok(lines)
}

fn drawn(title: &str, lines: &[(&str, String)]) -> Vec<u8> {
    let mut content = Content::new();
    let mut write = |font: &[u8], size: f32, x: f32, y: f32, text: &str| {
        let text: String = text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        content.begin_text().set_font(Name(font), size).next_line(x, y).show(Str(text.as_bytes())).end_text();
    };
    let mut y = PAGE.1 - 80.0;
    write(b"F2", 18.0, LEFT, y, title);
    y -= 2.0 * LINE_HEIGHT;
    for (label, figure) in lines {
        write(b"F2", 10.0, LEFT, y, label);
        write(b"F1", 10.0, FIGURES, y, figure);
        y -= LINE_HEIGHT;
    }
    content.finish().to_vec()
}
