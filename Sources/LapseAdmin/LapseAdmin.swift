// Grows with the first commit of this module.
