import { lookup } from "node:dns/promises";
import { isPublicAddress } from "./public_address.ts";

/** The network as a guard sees it; tests put their own in place. */
export interface Network {
  /** Returns all addresses of a name, in the order in which they are tried. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** Tells whether an address is of the public internet. */
  readonly isPublic: (address: string) => boolean;
}

/** The network of this machine: names as the system resolves them, `/etc/hosts` included. */
export const SYSTEM_NETWORK: Network = {
  resolve: async (name) => {
    const answers = await lookup(name, { all: true, verbatim: true });
    return answers.map(({ address }) => address);
  },
  isPublic: isPublicAddress,
};
