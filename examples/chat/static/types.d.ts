// Written by `stateroom types`: edit the service instead.

/** What the room sends. `error` tells why what was sent to it is no message. */
export type FromRoom = ToClient | { "type"?: undefined, error: string };

/** What the room hears. */
export type ToRoom = FromClient;

/**
 * One client of one room.
 *
 * Rooms number their clients from 1 upwards and never reuse a number in a room's life, so an id
 * that a service has kept always means the person it meant before.
 */
export type ClientId = number;

/**
 * What a client may send.
 */
export type FromClient = { "type": "join", name: string, } | { "type": "say", text: string, } | { "type": "kick", client: ClientId, };

/**
 * Somebody who is here.
 */
export type Person = { client: ClientId, name: string, };

/**
 * What somebody said. The name is kept with it, for its bearer may have left since.
 */
export type Said = { client: ClientId, name: string, text: string, 
/**
 * When, in milliseconds since 1970.
 */
at: number, };

/**
 * What a client gets.
 */
export type ToClient = { "type": "welcome", you: ClientId, people: Array<Person>, history: Array<Said>, } | { "type": "joined" } & Person | { "type": "left", client: ClientId, } | { "type": "said" } & Said | { "type": "refused", reason: string, };
