#include "CHiredisReader.h"
