//! The resources below a Partner account, all served alike: POST and GET on the list, GET and PATCH on the entry.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::db::UnitFuture;
use kit::http::{ApiError, JsonBody};
use protocol::shapes::accounts as shapes;

use super::{MANAGEMENT, WHO};
use crate::accounts::bank_accounts::check_hashes;
use crate::accounts::managed::Account;
use crate::accounts::resource::Kind;
use crate::accounts::resources;
use crate::ctx::Ctx;
use crate::operation::{Call, Doc, OnBehalf, Reply, Route, ShapeOf, Source, check};
use crate::paging::Wanted;

/// How a kind is served.
struct Served {
    kind: Kind,
    tail: &'static str,
    /// In `operationId`s: one, and many.
    names: [&'static str; 2],
    /// In summaries.
    words: [&'static str; 2],
    source: Source,
    takes: [ShapeOf; 2],
    entry: ShapeOf,
    list: ShapeOf,
}

const SERVED: [Served; 6] = [
    Served {
        kind: Kind::BusinessEntity,
        tail: "/partner-business-entities",
        names: ["PartnerBusinessEntity", "PartnerBusinessEntities"],
        words: ["a business entity", "the business entities"],
        source: Source::Collection,
        takes: [shapes::business_entity_create, shapes::business_entity_update],
        entry: shapes::business_entity,
        list: shapes::business_entities,
    },
    Served {
        kind: Kind::Brand,
        tail: "/brands",
        names: ["Brand", "Brands"],
        words: ["a brand", "the brands"],
        source: Source::Collection,
        takes: [shapes::brand_create, shapes::brand_update],
        entry: shapes::brand,
        list: shapes::brands,
    },
    Served {
        kind: Kind::StoreGroup,
        tail: "/store-groups",
        names: ["StoreGroup", "StoreGroups"],
        words: ["a store group", "the store groups"],
        source: Source::Collection,
        takes: [shapes::store_group_create, shapes::store_group_update],
        entry: shapes::store_group,
        list: shapes::store_groups,
    },
    Served {
        kind: Kind::Store,
        tail: "/stores",
        names: ["Store", "Stores"],
        words: ["a store", "the stores"],
        source: Source::Collection,
        takes: [shapes::store_create, shapes::store_update],
        entry: shapes::store,
        list: shapes::stores,
    },
    Served {
        kind: Kind::Relationship,
        tail: "/partner-account-relationships",
        names: ["PartnerAccountRelationship", "PartnerAccountRelationships"],
        words: ["a link to another Partner account", "the links to other Partner accounts"],
        source: Source::Inferred,
        takes: [shapes::relationship_create, shapes::relationship_update],
        entry: shapes::relationship,
        list: shapes::relationships,
    },
    Served {
        kind: Kind::AccessPolicy,
        tail: "/access-policies",
        names: ["AccessPolicy", "AccessPolicies"],
        words: ["an access policy", "the access policies"],
        source: Source::Inferred,
        takes: [shapes::access_policy_create, shapes::access_policy_update],
        entry: shapes::access_policy,
        list: shapes::access_policies,
    },
];

pub(super) fn routes() -> Vec<Route> {
    SERVED.iter().flat_map(routes_of).collect()
}

fn routes_of(served: &Served) -> [Route; 4] {
    let Served { kind, tail, names: [one, many], words: [a, all], source, takes, entry, list } = served;
    let (kind, source) = (*kind, *source);
    // Few texts, made once per start, kept for the life of the process as all others are.
    let text = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let entry_tail = format!("{tail}/{{{}}}", kind.id_member());
    let route = |method, tail: &str, doc| (method, [tail.to_owned()], doc);
    let created = route(
        Method::POST,
        tail,
        Doc::new(text(format!("create{one}")), text(format!("Makes {a}")), source).takes(takes[0]).answers(201, *entry),
    );
    let listed = route(
        Method::GET,
        tail,
        Doc::new(text(format!("list{many}")), text(format!("Lists {all}")), source).paged().answers(200, *list),
    );
    let read_one = route(
        Method::GET,
        &entry_tail,
        Doc::new(text(format!("read{one}")), text(format!("Reads {a}")), source).answers(200, *entry),
    );
    let updated = route(
        Method::PATCH,
        &entry_tail,
        Doc::new(text(format!("update{one}")), text(format!("Changes {a}")), source)
            .takes(takes[1])
            .answers(200, *entry),
    );
    [
        Route::for_account(created.0, &[&created.1[0]], MANAGEMENT, WHO, created.2, move |call, body| {
            create(kind, call, body)
        }),
        Route::for_account(listed.0, &[&listed.1[0]], MANAGEMENT, WHO, listed.2, move |ctx, on, wanted| {
            read_list(kind, ctx, on, wanted)
        }),
        Route::for_account(read_one.0, &[&read_one.1[0]], MANAGEMENT, WHO, read_one.2, move |ctx, on, path| {
            read(kind, ctx, on, path)
        }),
        Route::for_account(updated.0, &[&updated.1[0]], MANAGEMENT, WHO, updated.2, move |call, path, body| {
            update(kind, call, path, body)
        }),
    ]
}

/// The parameters of an entry's path: the account's, if it is named, and the entry's own behind it.
type EntryPath = Path<std::collections::HashMap<String, String>>;

fn entry_of(kind: Kind, path: &EntryPath) -> String {
    path.get(kind.id_member()).cloned().unwrap_or_default()
}

async fn create(kind: Kind, call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(kind.create_shape(), &body)?;
    check_hashes(std::iter::once((String::new(), &body))).await?;
    // Answers show what is known of a business: they are sealed, as it is.
    call.once(&body, true, move |tx, ctx, on, body| {
        Box::pin(async move {
            let mut account = Account::manageable(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            Ok(Reply::json(StatusCode::CREATED, &resources::create(&mut account, kind, &body).await?))
        })
    })
    .await
}

async fn read_list(kind: Kind, State(ctx): State<Ctx>, on: OnBehalf, wanted: Wanted) -> Result<Reply, ApiError> {
    let of_unit = ctx.clone();
    let list = ctx.db.read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
        Box::pin(async move { resources::list(tx, &of_unit, &on.account, kind, &wanted).await })
    });
    Ok(Reply::json(StatusCode::OK, &list.await?))
}

async fn read(kind: Kind, State(ctx): State<Ctx>, on: OnBehalf, path: EntryPath) -> Result<Reply, ApiError> {
    let (of_unit, id) = (ctx.clone(), entry_of(kind, &path));
    let entry = ctx.db.read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
        Box::pin(async move { resources::read(tx, &of_unit, &on.account, kind, &id).await })
    });
    Ok(Reply::json(StatusCode::OK, &entry.await?))
}

async fn update(
    kind: Kind,
    call: Call,
    path: EntryPath,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(kind.update_shape(), &body)?;
    check_hashes(std::iter::once((String::new(), &body))).await?;
    let id = entry_of(kind, &path);
    call.once(&body, true, move |tx, ctx, on, body| {
        let id = id.clone();
        Box::pin(async move {
            let mut account = Account::manageable(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            Ok(Reply::json(StatusCode::OK, &resources::patch(&mut account, kind, &id, &body).await?))
        })
    })
    .await
}
