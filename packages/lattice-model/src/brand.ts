/**
 * Nominal types: a branded value is its plain self at run time and a type of its own at compile time.
 *
 * Brands combine, so that one type can be a subtype of another (`StoreId` of `IntentionId` of `Hash`).
 *
 * @module
 */

declare const brand: unique symbol

/** Marks a type as `B`. Only the `toX` function of a brand casts to it. */
export interface Brand<B extends string> {
  readonly [brand]: { readonly [K in B]: true }
}
