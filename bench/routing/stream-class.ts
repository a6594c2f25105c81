/** The stream's class of traffic, and how our kernel objects of that class are told from the others. */
import { nextHopId } from "../../agent/meshd/kernel/marks.ts";
import { classOfDscp } from "../../agent/model/traffic-class.ts";

/** EF. */
export const STREAM_DSCP = 46;

/** The bits of a next hop id that hold class and bucket group. */
const CLASS_AND_GROUP = 0xf << 10;

export function isOfStreamClass(id: number): boolean {
  return (id & CLASS_AND_GROUP) === (nextHopId(0, classOfDscp(STREAM_DSCP), 0, 0) & CLASS_AND_GROUP);
}
