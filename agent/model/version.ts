/** Of agent and meshd; the same as in package.json. */
export const VERSION = "0.1.0";
